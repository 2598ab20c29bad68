import type { NamedRequest, SubjectName } from "./certificate-request.ts";

/** Where the fleet of `deploy/` runs. */
export interface ClusterPlace {
  /** Namespace of gateways and replicas. */
  readonly namespace: string;
  /** More names that clients reach the gateways by. */
  readonly gatewayNames: readonly SubjectName[];
}

/** The client pair that is made for runners, who may live in a namespace of their own. */
export const RUNNER_PAIR = "buildkit-runner-tls";

/**
 * The pairs that `deploy/` expects as Secrets of the same names: what clients see of the gateways, who the gateways are
 * to the replicas, what they see of every replica, and who the runners are.
 */
export function kubernetesRequests({ namespace, gatewayNames }: ClusterPlace): readonly NamedRequest[] {
  return [
    {
      name: "buildkit-gateway-tls",
      commonName: "buildkit-gateway",
      purpose: "server",
      names: [...serviceNames("buildkit", namespace), ...LOCAL_NAMES, ...gatewayNames],
    },
    {
      name: "buildkit-gateway-client",
      commonName: "buildkit-gateway",
      purpose: "client",
      names: [dns(`buildkit-gateway.${namespace}.svc.cluster.local`)],
    },
    {
      // Replicas are reached by address, all under the one name of their Service (replicaTls.servername).
      name: "buildkit-tls",
      commonName: "buildkit",
      purpose: "server",
      names: [...serviceNames("buildkit-replicas", namespace), ...LOCAL_NAMES],
    },
    {
      name: RUNNER_PAIR,
      commonName: "buildkit-runner",
      purpose: "client",
      names: [dns(`runners.${namespace}.svc.cluster.local`)],
    },
  ];
}

const LOCAL_NAMES: readonly SubjectName[] = [
  { t: "dns", value: "localhost" },
  { t: "ip", value: "127.0.0.1" },
  { t: "ip", value: "::1" },
];

/** A Service's name as it resolves inside the cluster, in full and in its short forms. */
function serviceNames(service: string, namespace: string): SubjectName[] {
  const forms = [`${service}.${namespace}.svc.cluster.local`, `${service}.${namespace}.svc`];
  return [...forms, `${service}.${namespace}`, service].map(dns);
}

function dns(value: string): SubjectName {
  return { t: "dns", value };
}
