import { formatAddress } from "../../base/address.ts";
import type { Cancel } from "../../base/clock.ts";
import type { Endpoint } from "../replica.ts";
import type { Discovery, DiscoveryStatus } from "./discovery.ts";

/**
 * Several discoveries as one. An id or an address that two of them report is
 * one replica, the earlier discovery's.
 */
export class CombinedDiscovery implements Discovery {
  readonly #parts: readonly Discovery[];

  constructor(parts: readonly Discovery[]) {
    this.#parts = parts;
  }

  start(onEndpoints: (endpoints: readonly Endpoint[]) => void, onStatus?: () => void): Cancel {
    const reports: (readonly Endpoint[])[] = this.#parts.map(() => []);
    const cancels = this.#parts.map((part, index) =>
      part.start((endpoints) => {
        reports[index] = endpoints;
        onEndpoints(withoutRepeats(reports.flat()));
      }, onStatus),
    );
    return () => {
      for (const cancel of cancels) cancel();
    };
  }

  status(): readonly DiscoveryStatus[] {
    return this.#parts.flatMap((part) => part.status());
  }
}

function withoutRepeats(endpoints: readonly Endpoint[]): Endpoint[] {
  const ids = new Set<string>();
  const addresses = new Set<string>();
  return endpoints.filter(({ id, address }) => {
    const text = formatAddress(address);
    if (ids.has(id) || addresses.has(text)) return false;
    ids.add(id);
    addresses.add(text);
    return true;
  });
}
