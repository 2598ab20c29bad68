import type { Clock } from "../base/clock.ts";
import { type ApiServer, sendRequest } from "../kubernetes/api-request.ts";
import { askOwnName } from "../kubernetes/own-name.ts";
import { type ClockReading, readClock } from "./clock-check.ts";
import type { Finding } from "./finding.ts";
import { checkPermission, type Permission } from "./permission-check.ts";
import { checkService, type ServiceReference } from "./service-check.ts";
import { type Answer, Steps } from "./steps.ts";

/** The way to a cluster, once it is open. */
export interface ClusterAccess {
  readonly server: ApiServer;
  /** Namespace of what is given without one. */
  readonly namespace: string | undefined;
  close(): void;
}

/** What is looked at in a cluster. */
export interface ClusterCheckOptions {
  /** Rejects with an Error that says what is missing. Whoever calls it closes what it gives. */
  readonly open: () => Promise<ClusterAccess>;
  /** What the gateway must be allowed, beside finding the pods of its Services. `namespace`: that of what has none. */
  readonly permissions: (namespace: string | undefined) => readonly Permission[];
  /** The replicas' Services. */
  readonly services: readonly (Omit<ServiceReference, "namespace"> & { readonly namespace?: string })[];
  readonly clock: Clock;
  /** A time of the clock. */
  readonly deadlineMs: number;
}

/** What was found out in a cluster. */
export interface ClusterReport {
  readonly findings: readonly Finding[];
  readonly readings: readonly ClockReading[];
}

/** An exec plugin of a kubeconfig may ask somebody else first. */
const OPEN_TIMEOUT_MS = 4_000;
const ASK_TIMEOUT_MS = 3_000;

/** What finding the pods of a Service needs (docs/kubernetes.md, Rights). */
const DISCOVERY_VERBS = ["list", "watch"];

/** Look at the cluster: the API server, the rights of who asks, and the pods of the replicas' Services. Never rejects. */
export async function checkCluster(options: ClusterCheckOptions): Promise<ClusterReport> {
  const { clock, deadlineMs, services } = options;
  const steps = new Steps("cluster", clock, deadlineMs);
  const readings: ClockReading[] = [];
  let opened: ClusterAccess | undefined;
  let isOver = false;
  const api = await steps.make({
    check: "API server",
    timeoutMs: OPEN_TIMEOUT_MS,
    run: async (signal) => {
      try {
        const access = await options.open();
        // Too late: nobody would close it.
        if (isOver) access.close();
        else opened = access;
        const { answer, reading } = await greet(access, clock, signal);
        if (reading) readings.push(reading);
        return answer;
      } catch (reason) {
        return {
          outcome: { t: "failure", seen: textOf(reason), fix: "check --kubeconfig, and the way to the API server" },
        };
      }
    },
  });
  isOver = true;
  const namespace = opened?.namespace;
  const named = services.flatMap((service) => {
    const own = service.namespace ?? namespace;
    return own === undefined ? [] : [{ ...service, namespace: own }];
  });
  const found = [...new Set(named.map((service) => service.namespace))].map(
    (own): Permission => ({
      resource: { group: "discovery.k8s.io", version: "v1", name: "endpointslices", namespace: own },
      verbs: DISCOVERY_VERBS,
      purpose: "to find replicas",
    }),
  );
  const permissions = [...found, ...options.permissions(namespace)];
  // They do not need each other, and share the time that is left.
  const apart = async (make: (own: Steps) => Promise<unknown>) => {
    const own = new Steps("cluster", clock, deadlineMs);
    await make(own);
    return own.findings;
  };
  const ofPermissions = permissions.map((permission) =>
    apart((own) => {
      const { name, namespace: where } = permission.resource;
      return own.make({
        check: `permission: ${name}${where === undefined ? "" : ` in ${where}`}`,
        needs: [api],
        timeoutMs: ASK_TIMEOUT_MS,
        run: (signal) => checkPermission(api.value!.server, permission, api.value!.user, signal),
      });
    }),
  );
  const ofServices = named.map((service) =>
    apart((own) =>
      own.make({
        check: `service ${service.namespace}/${service.name}`,
        needs: [api],
        timeoutMs: ASK_TIMEOUT_MS,
        run: (signal) => checkService(api.value!.server, service, signal),
      }),
    ),
  );
  const findings = await Promise.all([...ofPermissions, ...ofServices]);
  for (const service of services) {
    if (service.namespace === undefined && namespace === undefined && opened) {
      steps.skip(`service ${service.name}`, "its namespace is not known: give --namespace");
    }
  }
  opened?.close();
  return { findings: [...steps.findings, ...findings.flat()], readings };
}

interface Greeted {
  readonly server: ApiServer;
  /** Who the server takes us for. Absent: it does not tell. */
  readonly user: string | undefined;
}

async function greet(
  { server }: ClusterAccess,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly answer: Answer<Greeted>; readonly reading: ClockReading | undefined }> {
  const startMs = clock.nowMs();
  const response = await sendRequest(server, { method: "GET", path: "/version", signal });
  const { date } = response.headers;
  response.destroy();
  const user = await askOwnName(server, signal).catch(() => undefined);
  const { host } = server.access.server;
  const seen = `${host} answers in ${Math.round(clock.nowMs() - startMs)} ms${user === undefined ? "" : ` to ${user}`}`;
  return {
    answer: { outcome: { t: "ok", seen }, value: { server, user } },
    reading: readClock("the API server", date, clock),
  };
}

function textOf(reason: unknown): string {
  const { message, cause } = reason as Error;
  return cause instanceof Error && cause.message !== "" && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message;
}
