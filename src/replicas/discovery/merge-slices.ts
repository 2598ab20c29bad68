import { hostPort } from "../../base/address.ts";
import type { Endpoint } from "../replica.ts";
import type { EndpointCondition, Slice, SlicedEndpoint } from "./endpoint-slice.ts";

/** Of two slices that disagree on one pod, the one that says less good of it is believed: no pod stops terminating. */
const DOUBT: readonly EndpointCondition[] = ["ready", "terminating", "leaving"];

/**
 * The replicas that all slices of all Services together tell of, by id.
 *
 * A pod is one replica, however many slices, families and Services it is in; its
 * address is that of the first Service, IPv4 before IPv6. Its id is its name, or
 * `namespace/name` where another namespace has that name too; without a pod it
 * is `host:port`.
 */
export function mergeSlices(services: readonly (readonly Slice[])[]): Endpoint[] {
  const instances = new Map<string, SlicedEndpoint>();
  for (const slices of services) {
    for (const family of ["IPv4", "IPv6"]) {
      for (const slice of slices) {
        if (slice.family !== family) continue;
        for (const endpoint of slice.endpoints) addInstance(instances, endpoint);
      }
    }
  }
  // What is ready comes first: it is what an address or a name stands for now.
  const present = [...instances.values()]
    .filter(({ condition }) => condition !== "leaving")
    .sort((one, other) => DOUBT.indexOf(one.condition) - DOUBT.indexOf(other.condition));
  const distinct = firstOfEach(firstOfEach(present, nameOf), ({ host, port }) => hostPort(host, port));
  const clashes = repeated(distinct.map(shortName));
  return distinct
    .map((endpoint) => toEndpoint(endpoint, clashes.has(shortName(endpoint)) ? nameOf(endpoint) : shortName(endpoint)))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
}

function addInstance(instances: Map<string, SlicedEndpoint>, endpoint: SlicedEndpoint): void {
  const key = endpoint.pod?.uid ?? hostPort(endpoint.host, endpoint.port);
  const known = instances.get(key);
  if (!known) instances.set(key, endpoint);
  else if (DOUBT.indexOf(endpoint.condition) > DOUBT.indexOf(known.condition)) {
    instances.set(key, { ...known, condition: endpoint.condition });
  }
}

/** A StatefulSet's pod that follows another of its name is the same replica. */
function nameOf({ pod, host, port }: SlicedEndpoint): string {
  return pod ? `${pod.namespace}/${pod.name}` : hostPort(host, port);
}

function shortName({ pod, host, port }: SlicedEndpoint): string {
  return pod ? pod.name : hostPort(host, port);
}

function toEndpoint({ host, port, condition, ...whereabouts }: SlicedEndpoint, id: string): Endpoint {
  return { id, address: { t: "tcp", host, port }, isTerminating: condition === "terminating", ...whereabouts };
}

function firstOfEach<T>(items: readonly T[], identity: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = identity(item);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function repeated(texts: readonly string[]): Set<string> {
  const seen = new Set<string>();
  return new Set(texts.filter((text) => seen.has(text) || !seen.add(text)));
}
