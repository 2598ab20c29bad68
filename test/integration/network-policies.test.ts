import { describe, expect, test } from "vitest";
import { describeWithKubectl } from "../support/deploy/kubectl.ts";
import { type KubeObject, podTemplate, renderManifests } from "../support/deploy/manifests.ts";
import { admits, type Flow, type Peer, podPeer } from "../support/deploy/network-policies.ts";

const pod = (namespace: string, labels: Record<string, string> = {}): Peer => ({
  t: "pod",
  namespace,
  labels,
  ports: {},
});
const RUNNER = pod("arc-runners", { "actions.github.com/scale-set-name": "buildkit-runners" });
const STRANGER = pod("shop");
const PROMETHEUS = pod("monitoring");
const KEDA = pod("keda");
const DNS = pod("kube-system", { "k8s-app": "kube-dns" });
const REGISTRY: Peer = { t: "address", ip: "192.0.2.10" };
const REGISTRY_6: Peer = { t: "address", ip: "2001:db8::10" };
const METADATA: Peer = { t: "address", ip: "169.254.169.254" };
const API_SERVER: Peer = { t: "address", ip: "192.0.2.1" };

/** Every way in which a network plugin may read them: what must flow does in each, what must not does in none. */
const PLUGINS = [{ isIpBlockForPods: false }, { isIpBlockForPods: true }];

await describeWithKubectl("the NetworkPolicies", (kubectl) => {
  async function fleet(overlay: string) {
    const objects = await renderManifests(kubectl, `overlays/${overlay}`);
    const policies = objects.filter(({ kind }) => kind === "NetworkPolicy");
    const replica = podPeer(podTemplate(objects, "buildkit"), "buildkit");
    const gateway = podPeer(podTemplate(objects, "buildkit-gateway"), "buildkit");
    return { policies, replica, gateway };
  }

  const expectAll = (policies: readonly KubeObject[], flows: Readonly<Record<string, Flow>>, isAdmitted: boolean) => {
    for (const [name, flow] of Object.entries(flows)) {
      for (const plugin of PLUGINS) expect(admits(policies, flow, plugin), name).toBe(isAdmitted);
    }
  };

  describe.each(["cleartext", "statefulset", "mtls-cert-manager", "complete"])("of %s", (overlay) => {
    test("let through what must flow", async () => {
      const { policies, replica, gateway } = await fleet(overlay);
      expectAll(
        policies,
        {
          "runners to the gateway": { from: RUNNER, to: gateway, port: 1234 },
          "the gateway to the replicas": { from: gateway, to: replica, port: 1234 },
          "the gateway to their debug address": { from: gateway, to: replica, port: 6060 },
          "the preStop hook to the gateway": { from: replica, to: gateway, port: 6060 },
          "replicas to DNS": { from: replica, to: DNS, port: 53, protocol: "UDP" },
          "the gateway to DNS": { from: gateway, to: DNS, port: 53, protocol: "UDP" },
          "replicas to DNS over TCP": { from: replica, to: DNS, port: 53 },
          "replicas to registries": { from: replica, to: REGISTRY, port: 443 },
          "replicas to registries over IPv6": { from: replica, to: REGISTRY_6, port: 443 },
          "replicas to git over ssh": { from: replica, to: REGISTRY, port: 22 },
          "the gateway to the API server": { from: gateway, to: API_SERVER, port: 6443 },
          "the gateway to the API server's Service": { from: gateway, to: API_SERVER, port: 443 },
        },
        true,
      );
    });

    test("refuse what must not", async () => {
      const { policies, replica, gateway } = await fleet(overlay);
      expectAll(
        policies,
        {
          "runners to the replicas": { from: RUNNER, to: replica, port: 1234 },
          "runners to their debug address": { from: RUNNER, to: replica, port: 6060 },
          "runners to the admin port": { from: RUNNER, to: gateway, port: 6060 },
          "strangers to the gateway": { from: STRANGER, to: gateway, port: 1234 },
          "strangers to the replicas": { from: STRANGER, to: replica, port: 1234 },
          "the world to the gateway": { from: REGISTRY, to: gateway, port: 1234 },
          "the world to the replicas": { from: REGISTRY, to: replica, port: 1234 },
          "a RUN step to another replica": { from: replica, to: replica, port: 1234 },
          "a RUN step to the gateway": { from: replica, to: gateway, port: 1234 },
          "a RUN step to the node's credentials": { from: replica, to: METADATA, port: 80 },
          "the gateway to the world": { from: gateway, to: REGISTRY, port: 80 },
        },
        false,
      );
    });
  });

  test.each([
    { overlay: "cleartext", from: PROMETHEUS, who: "prometheus", isAdmitted: false },
    { overlay: "monitoring", from: PROMETHEUS, who: "prometheus", isAdmitted: true },
    { overlay: "complete", from: PROMETHEUS, who: "prometheus", isAdmitted: true },
    { overlay: "cleartext", from: KEDA, who: "KEDA", isAdmitted: false },
    { overlay: "keda", from: KEDA, who: "KEDA", isAdmitted: true },
    { overlay: "complete", from: KEDA, who: "KEDA", isAdmitted: true },
  ])("of $overlay let $who reach the admin port: $isAdmitted", async ({ overlay, from, isAdmitted }) => {
    const { policies, gateway, replica } = await fleet(overlay);
    expectAll(policies, { "the admin port": { from, to: gateway, port: 6060 } }, isAdmitted);
    expectAll(policies, { builds: { from, to: gateway, port: 1234 } }, false);
    expectAll(policies, { replicas: { from, to: replica, port: 1234 } }, false);
  });

  test("of the first step of a migration refuse nothing to the BuildKit that is there", async () => {
    const objects = await renderManifests(kubectl, "overlays/beside");
    const policies = objects.filter(({ kind }) => kind === "NetworkPolicy");
    const old = pod("buildkit", { app: "buildkit" });
    const gateway = podPeer(podTemplate(objects, "buildkit-gateway"), "buildkit");
    expectAll(
      policies,
      {
        runners: { from: RUNNER, to: old, port: 1234 },
        gateway: { from: gateway, to: old, port: 1234 },
        registries: { from: old, to: REGISTRY, port: 443 },
      },
      true,
    );
  });
});
