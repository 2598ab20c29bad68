import { controlRpcs } from "../buildkit/wire-contracts.ts";

/** What is asked of a history of builds (`moby.buildkit.v1.BuildHistoryRequest`). */
export interface HistoryRequest {
  /** One build; empty: all. */
  readonly buildRef: string;
  /** List what there is, and end. Otherwise go on with what happens. */
  readonly isListing: boolean;
  /** Completed builds that are listed, the newest; 0: all, in no order. */
  readonly limit: number;
  /**
   * The request as a replica is asked, which is to list and to end. It names no
   * build and no limit: a daemon that was asked for a build by its ref only marks
   * it when it is to be deleted, and one that then sorts its list by a limit may
   * crash, with all that it builds (until moby/buildkit#6614).
   */
  readonly listing: Buffer;
}

/** `EarlyExit` (3) set and `Limit` (5) none, as varints: put behind a message they override what is there. */
const LIST_ALL = Buffer.of(3 * 8, 1, 5 * 8, 0);

/** Read a `BuildHistoryRequest`. Throws where it is none. */
export function readHistoryRequest(message: Buffer): HistoryRequest {
  const { ListenBuildHistory } = controlRpcs;
  const { Ref, EarlyExit, Limit, ActiveOnly, Filter } = ListenBuildHistory.requestDeserialize(message) as {
    Ref: string;
    EarlyExit: boolean;
    Limit: number;
    ActiveOnly: boolean;
    Filter: string[];
  };
  return {
    buildRef: Ref,
    isListing: EarlyExit,
    limit: Limit,
    listing:
      Ref === ""
        ? Buffer.concat([message, LIST_ALL])
        : ListenBuildHistory.requestSerialize({ ActiveOnly, Filter, EarlyExit: true }),
  };
}
