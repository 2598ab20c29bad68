import type { Cancel } from "../../base/clock.ts";
import type { Endpoint } from "../replica.ts";
import type { Discovery, DiscoveryStatus } from "./discovery.ts";

/** Replicas that were listed, and do not change. */
export class StaticDiscovery implements Discovery {
  readonly #endpoints: readonly Endpoint[];

  constructor(replicas: readonly Pick<Endpoint, "id" | "address">[]) {
    this.#endpoints = replicas.map(({ id, address }) => ({ id, address, isTerminating: false }));
  }

  start(onEndpoints: (endpoints: readonly Endpoint[]) => void): Cancel {
    onEndpoints(this.#endpoints);
    return () => {};
  }

  status(): readonly DiscoveryStatus[] {
    return [];
  }
}
