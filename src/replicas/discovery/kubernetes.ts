import { formatAddress } from "../../base/address.ts";
import type { Cancel } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { ApiServer } from "../../kubernetes/api-request.ts";
import { ResourceWatch } from "../../kubernetes/resource-watch.ts";
import type { Endpoint } from "../replica.ts";
import type { Discovery, DiscoveryStatus } from "./discovery.ts";
import { readSlice, type Slice } from "./endpoint-slice.ts";
import { mergeSlices } from "./merge-slices.ts";
import type { ServicePort } from "./service-port.ts";

/** A Service whose pods are replicas. */
export interface ReplicaService {
  readonly namespace: string;
  readonly name: string;
  readonly port: ServicePort;
}

/** What to follow, and where. */
export interface KubernetesDiscoveryOptions {
  readonly server: ApiServer;
  /** Ids are unique across all of them. */
  readonly services: readonly ReplicaService[];
  readonly log: Logger;
}

/** Slices of one Service; of a hundred endpoints each, unless the cluster says otherwise. */
const MAX_SLICES = 1_000;

/** Replicas that are reported; what exceeds it is left out, by id. */
const MAX_ENDPOINTS = 10_000;

/**
 * The pods behind Services, as their EndpointSlices tell: ready ones, and
 * terminating ones that still serve. Another that is not ready is left out, which
 * takes no running build from it.
 */
export class KubernetesDiscovery implements Discovery {
  readonly #options: KubernetesDiscoveryOptions;
  #followed: readonly FollowedService[] = [];

  constructor(options: KubernetesDiscoveryOptions) {
    this.#options = options;
  }

  start(onEndpoints: (endpoints: readonly Endpoint[]) => void, onStatus: () => void = () => {}): Cancel {
    let reported: string | undefined;
    const report = () => {
      const endpoints = mergeSlices(this.#followed.map(({ slices }) => slices)).slice(0, MAX_ENDPOINTS);
      const text = endpoints.map(describe).join("\n");
      if (text === reported) return;
      reported = text;
      onEndpoints(endpoints);
    };
    const { services, server, log } = this.#options;
    this.#followed = services.map((service) => new FollowedService(service, server, log, report, onStatus));
    for (const service of this.#followed) service.start();
    return () => {
      for (const service of this.#followed) service.stop();
    };
  }

  status(): readonly DiscoveryStatus[] {
    return this.#followed.map((service) => service.status());
  }
}

/** One Service's slices, followed. */
class FollowedService {
  readonly #service: ReplicaService;
  readonly #server: ApiServer;
  readonly #log: Logger;
  readonly #onSlices: () => void;
  readonly #onStatus: () => void;
  #watch: ResourceWatch<Slice> | undefined;
  #fault: string | undefined;
  #hasWarned = false;
  slices: readonly Slice[] = [];

  constructor(service: ReplicaService, server: ApiServer, log: Logger, onSlices: () => void, onStatus: () => void) {
    this.#service = service;
    this.#server = server;
    this.#log = log.child({ service: `${service.namespace}/${service.name}` });
    this.#onSlices = onSlices;
    this.#onStatus = onStatus;
  }

  start(): void {
    const { namespace, name, port } = this.#service;
    this.#watch = new ResourceWatch<Slice>({
      server: this.#server,
      resource: { group: "discovery.k8s.io", version: "v1", name: "endpointslices", namespace },
      selection: { labelSelector: `kubernetes.io/service-name=${name}` },
      log: this.#log,
      maxObjects: MAX_SLICES,
      project: (object) => {
        const slice = readSlice(object, port);
        if (!slice) this.#warnOnce(object.addressType);
        return slice;
      },
      onChange: (all) => this.#changed([...all.values()]),
      onState: () => this.#onStatus(),
    });
  }

  stop(): void {
    this.#watch?.stop();
  }

  status(): DiscoveryStatus {
    const { namespace, name } = this.#service;
    const source = `Kubernetes discovery of ${namespace}/${name}`;
    const state = this.#watch?.state ?? { t: "syncing" };
    const ageMs = this.#watch?.ageMs;
    const reason = state.t === "stale" ? state.reason : this.#fault;
    return { source, state: state.t, ...(ageMs !== undefined && { ageMs }), ...(reason !== undefined && { reason }) };
  }

  #changed(slices: readonly Slice[]): void {
    this.slices = slices;
    const fault = slices.find((slice) => slice.fault !== undefined)?.fault;
    const hasChanged = fault !== this.#fault;
    this.#fault = fault;
    if (hasChanged && fault !== undefined) this.#log.warn({ reason: fault }, "endpoints cannot be used");
    this.#onSlices();
    if (hasChanged) this.#onStatus();
  }

  #warnOnce(addressType: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn({ addressType: String(addressType).slice(0, 20) }, "slice left out: neither IPv4 nor IPv6");
  }
}

/** All that a report tells of an endpoint. */
function describe({ id, address, isTerminating, nodeName, zone, pod }: Endpoint): string {
  return [id, formatAddress(address), isTerminating, nodeName, zone, pod?.uid].join(" ");
}
