import { Certificate, Issuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import {
  PodMonitor,
  PrometheusRule,
  ServiceMonitor,
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { Deployment, StatefulSet } from "kubernetes-models/apps/v1";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Role, RoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1";
import { ConfigMap, Namespace, Pod, Service, ServiceAccount } from "kubernetes-models/v1";
import type { KubeObject } from "./manifests.ts";

/** A model of the OpenAPI schema: `validate` reads each property that the schema knows, and throws on a wrong value. */
interface Model {
  readonly apiVersion: string;
  readonly kind: string;
  readonly prototype: { validate(): void };
}

const MODELS: readonly Model[] = [
  ...[Namespace, ServiceAccount, ConfigMap, Service, Pod, Deployment, StatefulSet, PodDisruptionBudget],
  ...[NetworkPolicy, Role, RoleBinding, ScaledObject, ServiceMonitor, PodMonitor, PrometheusRule, Certificate, Issuer],
];

/** Fields that are newer than the models: those of keda for Node 20 end before KEDA 2.12 (its CRD, ScaledObject, spec.advanced). */
const NEWER_FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["ScaledObject.spec.advanced.scalingModifiers", ["formula", "target", "activationTarget", "metricType"]],
]);

/** All that the Kubernetes API server would refuse of an object: wrong values, missing fields, unknown fields. */
export function schemaProblems(object: KubeObject): string[] {
  const model = MODELS.find(({ apiVersion, kind }) => apiVersion === object.apiVersion && kind === object.kind);
  const name = `${object.kind} ${object.metadata?.name}`;
  if (!model) return [`${name}: no schema for ${object.apiVersion} ${object.kind}`];
  const watched = watchReads(object, object.kind);
  try {
    model.prototype.validate.call(watched.value);
  } catch (reason) {
    return [`${name}: ${(reason as Error).message}`];
  }
  return watched.unread().map((path) => `${name}: unknown field ${path}`);
}

/** A value that notes which of its properties are read. */
interface Watched {
  readonly value: unknown;
  /** Paths of the properties that nobody asked for, though others beside them were. */
  unread(): string[];
}

/**
 * The schemas' validators take unknown fields. But they read every field that they know of an object, by name;
 * only a map's they list. So a field that was never read, in an object that was never listed, is unknown.
 */
function watchReads(value: unknown, path: string): Watched {
  if (value === null || typeof value !== "object") return { value, unread: () => [] };
  const isList = Array.isArray(value);
  const parts = Object.entries(value).map(([key, part]) => ({ key, part: watchReads(part, `${path}.${key}`) }));
  if (isList) return { value: parts.map(({ part }) => part.value), unread: () => parts.flatMap(unreadOf) };
  const read = new Set<PropertyKey>();
  let isListed = false;
  const proxy = new Proxy(Object.fromEntries(parts.map(({ key, part }) => [key, part.value])), {
    get(target, key) {
      read.add(key);
      return target[key as string];
    },
    ownKeys(target) {
      isListed = true;
      return Reflect.ownKeys(target);
    },
  });
  const unread = () => {
    const known = NEWER_FIELDS.get(path);
    const isClosed = known !== undefined || (read.size > 0 && !isListed);
    const isKnown = (key: string) => known?.includes(key) ?? (read.has(key) || NEWER_FIELDS.has(`${path}.${key}`));
    const own = isClosed ? parts.filter(({ key }) => !isKnown(key)).map(({ key }) => `${path}.${key}`) : [];
    return [...own, ...parts.flatMap(unreadOf)];
  };
  return { value: proxy, unread };
}

function unreadOf({ part }: { readonly part: Watched }): string[] {
  return part.unread();
}
