import { counted } from "../base/counted.ts";
import { ApiFailure } from "../kubernetes/api-failure.ts";
import type { ApiObject } from "../kubernetes/api-object.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { getObject } from "../kubernetes/object-calls.ts";
import { listObjects } from "../kubernetes/object-list.ts";
import { readSlice, type Slice } from "../replicas/discovery/endpoint-slice.ts";
import type { ServicePort } from "../replicas/discovery/service-port.ts";
import type { Outcome } from "./finding.ts";
import { judgePod } from "./judge-pod.ts";
import type { Answer } from "./steps.ts";

/** A Service whose pods are replicas. */
export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: ServicePort;
}

/** EndpointSlices and pods that are taken. */
const MAX_OBJECTS = 5_000;

/** Pods that have a line of their own. */
const MAX_PODS = 100;

type Named = NonNullable<Answer<never>["more"]>;

/** Look at the endpoints of a Service and at its pods. Rejects with an Error of one line where the server refuses. */
export async function checkService(
  server: ApiServer,
  service: ServiceReference,
  signal: AbortSignal,
): Promise<Answer<never>> {
  const [endpoints, pods] = await Promise.all([
    readEndpoints(server, service, signal),
    checkPods(server, service, signal),
  ]);
  return { outcome: endpoints, more: pods };
}

async function readEndpoints(
  server: ApiServer,
  { namespace, name, port }: ServiceReference,
  signal: AbortSignal,
): Promise<Outcome> {
  const slices: Slice[] = [];
  let count = 0;
  let unready = 0;
  const read = (object: ApiObject) => {
    count += 1;
    const slice = readSlice(object, port);
    if (!slice) return;
    slices.push(slice);
    const listed = Array.isArray(object.endpoints) ? object.endpoints.length : 0;
    if (slice.fault === undefined) unready += Math.max(0, listed - slice.endpoints.length);
  };
  try {
    const resource = { group: "discovery.k8s.io", version: "v1", name: "endpointslices", namespace };
    const selection = { labelSelector: `kubernetes.io/service-name=${name}` };
    await listObjects(server, { resource, selection, maxObjects: MAX_OBJECTS, signal }, read);
  } catch (reason) {
    const fix = "see the permissions, and that the API server is well";
    return { t: "failure", seen: `its EndpointSlices cannot be listed: ${(reason as Error).message}`, fix };
  }
  if (count === 0) {
    const fix = "check its name and namespace: kubectl get service --all-namespaces";
    return { t: "failure", seen: "it has no EndpointSlice: there is no such Service", fix };
  }
  const endpoints = slices.flatMap((slice) => slice.endpoints);
  const numberOf = (condition: string) => endpoints.filter((endpoint) => endpoint.condition === condition).length;
  const leaving = numberOf("terminating") + numberOf("leaving");
  const ready = numberOf("ready");
  const seen = `${counted(ready, "endpoint")} ready, ${unready} not ready, ${leaving} terminating`;
  const [fault] = slices.flatMap((slice) => slice.fault ?? []);
  if (fault !== undefined) return { t: "failure", seen: `${seen}; ${fault}`, fix: "name the port: service:port" };
  if (ready === 0)
    return { t: "failure", seen, fix: "see its pods; without any, check its selector and the replicas' number" };
  if (unready > 0) return { t: "warning", seen, fix: "see the pods that are not ready" };
  return { t: "ok", seen };
}

async function checkPods(
  server: ApiServer,
  { namespace, name }: ServiceReference,
  signal: AbortSignal,
): Promise<Named> {
  const check = `pods of ${namespace}/${name}`;
  let selector: string | undefined;
  try {
    selector = await readSelector(server, namespace, name, signal);
    if (selector === undefined) return [{ check, outcome: { t: "skipped", seen: "the Service selects no pods" } }];
    const pods: ApiObject[] = [];
    const resource = { group: "", version: "v1", name: "pods", namespace };
    const selection = { labelSelector: selector };
    await listObjects(server, { resource, selection, maxObjects: MAX_OBJECTS, signal }, (pod) => pods.push(pod));
    return judgePods(check, pods, server.clock.wallTime());
  } catch (reason) {
    if (!(reason instanceof ApiFailure)) throw reason;
    // The gateway itself needs no such right: whoever has it sees more.
    const seen = `needs the right to get services and list pods in ${namespace}: ${reason.message}`;
    return [{ check, outcome: { t: "skipped", seen } }];
  }
}

/** As a list's query has it; undefined: the Service has none. */
async function readSelector(
  server: ApiServer,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const resource = { group: "", version: "v1", name: "services", namespace };
  const { spec } = (await getObject(server, { resource, name }, signal)) as { spec?: { selector?: unknown } };
  const pairs = Object.entries(spec?.selector ?? {}).filter(([, value]) => typeof value === "string");
  return pairs.length === 0 ? undefined : pairs.map(([key, value]) => `${key}=${value}`).join(",");
}

function judgePods(check: string, pods: readonly ApiObject[], now: Date): Named {
  if (pods.length === 0) {
    const fix = "check the replicas' number (kubectl get statefulset,deployment), and the Service's selector";
    return [{ check, outcome: { t: "warning", seen: "there is none", fix } }];
  }
  const judged = pods.map((pod) => ({ check: `pod ${pod.metadata.name}`, outcome: judgePod(pod, now) }));
  // What is wrong comes first, where there are many.
  const isOdd = ({ outcome }: (typeof judged)[number]) => Number(outcome.t !== "ok");
  return judged.sort((a, b) => isOdd(b) - isOdd(a)).slice(0, MAX_PODS);
}
