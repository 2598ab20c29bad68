import { isIP } from "node:net";
import type { ApiObject } from "../../kubernetes/api-object.ts";
import type { PodReference } from "../replica.ts";
import { choosePort, type ServicePort } from "./service-port.ts";

/**
 * What an endpoint's conditions come to:
 * - `ready`: it takes new builds.
 * - `terminating`: its pod is being deleted, and still serves.
 * - `leaving`: its pod is being deleted, and does not serve any more.
 */
export type EndpointCondition = "ready" | "terminating" | "leaving";

/** One endpoint of a slice, without those that are not ready yet. */
export interface SlicedEndpoint {
  readonly host: string;
  readonly port: number;
  readonly condition: EndpointCondition;
  readonly pod?: PodReference;
  readonly nodeName?: string;
  readonly zone?: string;
}

/** What is known of one EndpointSlice. */
export interface Slice {
  readonly family: "IPv4" | "IPv6";
  readonly endpoints: readonly SlicedEndpoint[];
  /** Why it has no endpoints that can be used, though it has some. */
  readonly fault?: string;
}

/** A slice has a thousand at most (kubernetes/kubernetes, apis/discovery/validation). */
const MAX_ENDPOINTS = 1_000;

const LONGEST_NAME = 253;

/**
 * Read an EndpointSlice (kubernetes/api, discovery/v1 types.go). Undefined for one
 * of names in place of addresses (`addressType: FQDN`), which Services with pods never have.
 */
export function readSlice(object: ApiObject, wanted: ServicePort): Slice | undefined {
  const { addressType, endpoints, ports } = object;
  if (addressType !== "IPv4" && addressType !== "IPv6") return undefined;
  const listed = Array.isArray(endpoints) ? endpoints.slice(0, MAX_ENDPOINTS) : [];
  if (listed.length === 0) return { family: addressType, endpoints: [] };
  const chosen = choosePort(ports, wanted);
  if (chosen.t === "none") return { family: addressType, endpoints: [], fault: chosen.reason };
  const version = addressType === "IPv4" ? 4 : 6;
  return {
    family: addressType,
    endpoints: listed.flatMap((endpoint: unknown) => readEndpoint(endpoint, chosen.port, version)),
  };
}

function readEndpoint(endpoint: unknown, port: number, version: 4 | 6): SlicedEndpoint[] {
  const { addresses, conditions, targetRef, nodeName, zone } = (endpoint ?? {}) as Record<string, unknown>;
  // All further addresses are to be left alone: what they mean is not said.
  const host: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
  const condition = readCondition(conditions);
  if (condition === undefined || typeof host !== "string" || isIP(host) !== version) return [];
  const pod = readPod(targetRef);
  return [
    {
      host,
      port,
      condition,
      ...(pod && { pod }),
      ...(isName(nodeName) && { nodeName }),
      ...(isName(zone) && { zone }),
    },
  ];
}

/** Absent `ready` is true, absent `serving` is `ready`, absent `terminating` is false; undefined: not ready. */
function readCondition(conditions: unknown): EndpointCondition | undefined {
  const { ready, serving, terminating } = (conditions ?? {}) as Record<string, unknown>;
  const isReady = ready !== false;
  const isServing = typeof serving === "boolean" ? serving : isReady;
  if (terminating === true) return isServing ? "terminating" : "leaving";
  return isReady ? "ready" : undefined;
}

function readPod(targetRef: unknown): PodReference | undefined {
  const { kind, namespace, name, uid } = (targetRef ?? {}) as Record<string, unknown>;
  if (kind !== "Pod" || !isName(namespace) || !isName(name) || !isName(uid)) return undefined;
  return { namespace, name, uid };
}

/** Names of pods and nodes, labels and uids have no other characters (RFC 1123, RFC 4122). */
function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= LONGEST_NAME && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(value);
}
