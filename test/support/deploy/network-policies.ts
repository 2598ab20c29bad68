import { BlockList, isIPv6 } from "node:net";
import { type KubeObject, type Part, type PodTemplate, selects } from "./manifests.ts";

/** One end of a connection: a pod, or an address outside the cluster. */
export type Peer =
  | {
      readonly t: "pod";
      readonly namespace: string;
      readonly labels: Readonly<Record<string, string>>;
      /** Numbers of its ports, by name. */
      readonly ports: Readonly<Record<string, number>>;
    }
  | { readonly t: "address"; readonly ip: string };

/** A connection that somebody may want to make. */
export interface Flow {
  readonly from: Peer;
  readonly to: Peer;
  readonly port: number;
  readonly protocol?: "TCP" | "UDP";
}

/** How a network plugin reads what Kubernetes leaves open. */
export interface PluginOptions {
  /** Whether an ipBlock holds for pods, too: with some plugins it does, with others it does not. */
  readonly isIpBlockForPods: boolean;
}

/** A pod of a workload, as a peer. */
export function podPeer({ labels, spec }: PodTemplate, namespace: string): Peer {
  const ports: Part[] = spec.containers.flatMap((container: Part) => container.ports ?? []);
  return {
    t: "pod",
    namespace,
    labels,
    ports: Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort])),
  };
}

/** Whether NetworkPolicies let a connection through: both ends must (networking.k8s.io/v1, NetworkPolicySpec). */
export function admits(policies: readonly KubeObject[], flow: Flow, plugin: PluginOptions): boolean {
  return (
    isAllowed(policies, flow, { type: "Egress", own: flow.from, other: flow.to }, plugin) &&
    isAllowed(policies, flow, { type: "Ingress", own: flow.to, other: flow.from }, plugin)
  );
}

interface Side {
  readonly type: "Ingress" | "Egress";
  readonly own: Peer;
  readonly other: Peer;
}

function isAllowed(policies: readonly KubeObject[], flow: Flow, { type, own, other }: Side, plugin: PluginOptions) {
  if (own.t === "address") return true;
  const chosen = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === own.namespace &&
      spec.policyTypes.includes(type) &&
      selects(spec.podSelector.matchLabels ?? {}, own.labels),
  );
  if (chosen.length === 0) return true;
  const rules: Part[] = chosen.flatMap(({ spec }) => (type === "Ingress" ? spec.ingress : spec.egress) ?? []);
  return rules.some((rule) => {
    const peers: Part[] | undefined = type === "Ingress" ? rule.from : rule.to;
    const isPeer = peers === undefined || peers.some((peer) => matchesPeer(peer, other, own.namespace, plugin));
    return isPeer && (rule.ports === undefined || rule.ports.some((port: Part) => matchesPort(port, flow)));
  });
}

function matchesPeer(peer: Part, other: Peer, ownNamespace: string, plugin: PluginOptions): boolean {
  if (peer.ipBlock) {
    if (other.t === "pod") return plugin.isIpBlockForPods;
    return (
      contains(peer.ipBlock.cidr, other.ip) && !(peer.ipBlock.except ?? []).some((e: string) => contains(e, other.ip))
    );
  }
  if (other.t === "address") return false;
  // The label that the API server sets on each namespace.
  const namespaceLabels = { "kubernetes.io/metadata.name": other.namespace };
  const isNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector.matchLabels ?? {}, namespaceLabels)
    : other.namespace === ownNamespace;
  return isNamespace && selects(peer.podSelector?.matchLabels ?? {}, other.labels);
}

function matchesPort(port: Part, { to, port: number, protocol = "TCP" }: Flow): boolean {
  if ((port.protocol ?? "TCP") !== protocol) return false;
  if (port.port === undefined) return true;
  return typeof port.port === "number" ? port.port === number : to.t === "pod" && to.ports[port.port] === number;
}

function contains(cidr: string, ip: string): boolean {
  const [net, prefix] = cidr.split("/") as [string, string];
  if (isIPv6(net) !== isIPv6(ip)) return false;
  const list = new BlockList();
  list.addSubnet(net, Number(prefix), isIPv6(net) ? "ipv6" : "ipv4");
  return list.check(ip, isIPv6(ip) ? "ipv6" : "ipv4");
}
