import { controlRpcs } from "../buildkit/wire-contracts.ts";

/** What is asked of a history of builds (`moby.buildkit.v1.BuildHistoryRequest`). */
export interface HistoryRequest {
  /** One build; empty: all. */
  readonly buildRef: string;
  /** List what there is, and end. Otherwise go on with what happens. */
  readonly isListing: boolean;
  /** Completed builds that are listed, the newest; 0: all, in no order. */
  readonly limit: number;
  /** The request as a replica is asked, which is to list and to end. Fields unknown to us are in it. */
  readonly listing: Buffer;
}

/** `EarlyExit`, field 3, set: put behind a message it overrides what is there. */
const EARLY_EXIT = Buffer.of(3 * 8, 1);

/** Read a `BuildHistoryRequest`. Throws where it is none. */
export function readHistoryRequest(message: Buffer): HistoryRequest {
  const { Ref, EarlyExit, Limit } = controlRpcs.ListenBuildHistory.requestDeserialize(message) as {
    Ref: string;
    EarlyExit: boolean;
    Limit: number;
  };
  return {
    buildRef: Ref,
    isListing: EarlyExit,
    limit: Limit,
    listing: Buffer.concat([message, EARLY_EXIT]),
  };
}
