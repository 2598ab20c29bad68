import { afterAll, beforeAll, expect, test } from "vitest";
import { LabCluster } from "../support/kubernetes/lab-cluster.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

const NAMESPACE = "arc-runners";

await describeWithLab("builds of pods that the cluster knows", (lab) => {
  const gateways = new Gateways();
  let cluster: LabCluster;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    const [replica] = await lab().startReplicas(1);
    cluster = await LabCluster.start();
    cluster.set(replica!, "ready");
    // Whoever builds here comes from this address.
    cluster.api.put("pods", {
      metadata: {
        name: "runner-1",
        namespace: NAMESPACE,
        creationTimestamp: "2026-11-25T08:00:00Z",
        labels: { "actions.github.com/scale-set-name": "linux-amd64" },
      },
      spec: { containers: [{ name: "runner", image: "runner" }] },
      status: { phase: "Running", podIP: "127.0.0.1", podIPs: [{ ip: "127.0.0.1" }] },
    });
    const { env, ...options } = cluster.gatewayOptions;
    gateway = await gateways.start({
      ...options,
      env: { ...env, BUILDKIT_GATEWAY_IDENTITY_PODS_NAMESPACES: NAMESPACE },
    });
  });
  afterAll(async () => {
    await gateways.kill();
    await cluster.close();
  });

  function runJob(jobRepositoryName: string, workflowRunId: number): void {
    cluster.api.put("ephemeralrunners", {
      metadata: { name: "runner-1", namespace: NAMESPACE },
      spec: { githubConfigUrl: "https://github.com/acme" },
      status: { phase: "Running", jobRepositoryName, workflowRunId, jobDisplayName: "image" },
    });
  }

  test("are told apart by the job that runs in the pod, as it is at that time", async () => {
    const context = await makeBuildContext({ newFolder: () => lab().newFolder(), busybox: lab().tools.busybox }, "");
    for (const [index, version] of BUILDX_VERSIONS.entries()) {
      runJob(`acme/app-${index}`, 4_711 + index);
      const buildx = await lab().createBuilder({ version, address: gateway.address });
      // News of the job takes a moment, as in a cluster.
      await pollUntil("the job to be known", async () => {
        const from = gateway.lines.all.length;
        await buildx.mustRun(["build", "--output=type=cacheonly", context]);
        const ended = await gateway.lines.next("build ended", {}, from);
        expect(ended).toMatchObject({ namespace: NAMESPACE, pod: "runner-1", workload: "linux-amd64" });
        return ended.repository === `github.com/acme/app-${index}` && ended.runId === `${4_711 + index}`;
      });
    }
  });
});
