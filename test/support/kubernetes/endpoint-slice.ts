import { randomUUID } from "node:crypto";
import type { NewObject } from "./stored-object.ts";

/** One endpoint of a slice. */
export interface SliceEndpoint {
  readonly address: string;
  /** Absent: no `targetRef`. */
  readonly pod?: string;
  readonly podUid?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly nodeName?: string;
  readonly zone?: string;
}

/** What a slice is made from. */
export interface SliceOptions {
  readonly name: string;
  readonly service: string;
  /** Default `buildkit`. */
  readonly namespace?: string;
  /** Default `IPv4`. */
  readonly addressType?: string;
  readonly endpoints: readonly SliceEndpoint[];
  /** Default: one called `buildkit`, 1234. `null`: as of a Service without ports. */
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
}

/** An EndpointSlice as the endpoint slice controller of a v1.30 cluster writes it. */
export function endpointSlice(options: SliceOptions): NewObject {
  const { name, service, namespace = "buildkit", addressType = "IPv4", endpoints } = options;
  const { ports = [{ name: "buildkit", port: 1234, protocol: "TCP" }] } = options;
  return {
    metadata: {
      name,
      generateName: `${service}-`,
      namespace,
      labels: {
        "app.kubernetes.io/name": "buildkit",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": service,
        "service.kubernetes.io/headless": "",
      },
      annotations: { "endpoints.kubernetes.io/last-change-trigger-time": "2026-11-25T08:00:00Z" },
      ownerReferences: [
        {
          apiVersion: "v1",
          kind: "Service",
          name: service,
          uid: "6d3f0d54-3f5e-4f0f-9a4e-6f4d9b6f8a10",
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    addressType,
    endpoints: endpoints.map(({ address, pod, podUid, ready, serving, terminating, nodeName, zone }) => ({
      addresses: [address],
      conditions: {
        ...(ready !== undefined && { ready }),
        ...(serving !== undefined && { serving }),
        ...(terminating !== undefined && { terminating }),
      },
      ...(pod !== undefined && {
        targetRef: { kind: "Pod", namespace, name: pod, uid: podUid ?? uidOf(namespace, pod) },
      }),
      ...(nodeName !== undefined && { nodeName }),
      ...(zone !== undefined && { zone }),
    })),
    ports,
  };
}

const uids = new Map<string, string>();

/** The uid of the first pod of a name. */
function uidOf(namespace: string, pod: string): string {
  const key = `${namespace}/${pod}`;
  const uid = uids.get(key) ?? randomUUID();
  uids.set(key, uid);
  return uid;
}
