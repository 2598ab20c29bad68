import type { Logger } from "../base/log.ts";
import type { GroupFleet } from "./build-groups-options.ts";
import type { RoutedCall } from "./routed-call.ts";

/** What calls for content need. */
export interface ContentCallsOptions {
  readonly fleet: Pick<GroupFleet, "contentOwners" | "locateContent">;
  readonly log: Logger;
  /** The replica that the client's builds are at, while its connection lasts. */
  readonly bindingOf: (call: RoutedCall) => string | undefined;
  readonly sendTo: (call: RoutedCall, replicaId: string) => void;
  /** Send the call to any replica: it will say, in its own words, that it has no such content. */
  readonly sendAnywhere: (call: RoutedCall) => void;
}

/** Calls that ask for content by its digest, on their way to a replica that has it. */
export class ContentCalls {
  readonly #options: ContentCallsOptions;
  /** Those whose owner is being looked for. */
  readonly #seeking = new Set<RoutedCall>();

  constructor(options: ContentCallsOptions) {
    this.#options = options;
  }

  /**
   * Find its replica. A client that has built asks for what its build has made,
   * so its own replica is asked at once unless the content is known to be
   * elsewhere; it has to wait for no other's answer.
   */
  open(call: RoutedCall, digest: string): void {
    const { fleet, bindingOf, sendTo, sendAnywhere } = this.#options;
    const binding = bindingOf(call);
    const owners = digest === "" ? [] : fleet.contentOwners(digest);
    if (binding !== undefined && (owners.length === 0 || owners.includes(binding))) sendTo(call, binding);
    else if (owners[0] !== undefined) sendTo(call, owners.find((id) => call.client.isConnected(id)) ?? owners[0]);
    else if (digest === "") sendAnywhere(call);
    else void this.#seek(call, digest);
  }

  /** The call has ended, however. */
  closed(call: RoutedCall): void {
    this.#seeking.delete(call);
  }

  /** Calls whose owner is being looked for. */
  get size(): number {
    return this.#seeking.size;
  }

  async #seek(call: RoutedCall, digest: string): Promise<void> {
    const { fleet, log, sendTo, sendAnywhere } = this.#options;
    this.#seeking.add(call);
    const found = await fleet.locateContent(digest);
    if (!this.#seeking.delete(call)) return;
    if (typeof found === "string") sendTo(call, found);
    else if (found === undefined) sendAnywhere(call);
    else {
      log.debug({ digest, reason: found.message }, "content not located");
      call.fail(found, true);
    }
  }
}
