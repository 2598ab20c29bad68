import type { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { endpointSlice, type SliceEndpoint } from "../../support/kubernetes/endpoint-slice.ts";

/** The Service that all slices belong to. */
export const SERVICE = "buildkit-replicas";

/** Slices of a stand-in API server, full of endpoints whose conditions change. */
export class FleetOfSlices {
  readonly #api: ApiServerStandIn;
  readonly #slices: SliceEndpoint[][];
  readonly #port: number;

  /** Every endpoint has a loopback address of its own. */
  constructor(
    api: ApiServerStandIn,
    options: { readonly slices: number; readonly perSlice: number; readonly port: number },
  ) {
    this.#api = api;
    this.#port = options.port;
    this.#slices = Array.from({ length: options.slices }, (_, slice) =>
      Array.from({ length: options.perSlice }, (_, index) => ({
        address: `127.1.${slice}.${index + 1}`,
        pod: `buildkit-${slice}-${index}`,
        nodeName: `node-${index}`,
        zone: "eu-1a",
        ready: true,
        serving: true,
        terminating: false,
      })),
    );
    for (const index of this.#slices.keys()) this.touch(index);
  }

  /** Write a slice again; nothing in it that matters has changed. */
  touch(slice: number): void {
    const ports = [{ name: "buildkit", port: this.#port, protocol: "TCP" }];
    const endpoints = this.#slices[slice]!;
    this.#api.put("endpointslices", endpointSlice({ name: `${SERVICE}-${slice}`, service: SERVICE, endpoints, ports }));
  }

  /** Make an endpoint terminate, or take that back; returns its pod's name. */
  turn(slice: number, index: number): string {
    const endpoint = this.#slices[slice]![index]!;
    const terminating = !endpoint.terminating;
    this.#slices[slice]![index] = { ...endpoint, ready: !terminating, terminating };
    this.touch(slice);
    return endpoint.pod!;
  }
}
