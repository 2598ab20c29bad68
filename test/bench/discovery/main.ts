import { setTimeout as delay } from "node:timers/promises";
import { GrpcReplica } from "../../support/grpc-replica.ts";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";
import { GatewayProcess } from "../../support/lab/gateway-process.ts";
import { pollUntil } from "../../support/lab/poll.ts";
import { FleetOfSlices, SERVICE } from "./fleet-of-slices.ts";
import { measureUsage, type Usage } from "./gateway-usage.ts";

const SLICES = 10;
const PER_SLICE = 100;
const CHANGES_PER_SECOND = 100;
const SECONDS = 10;

/** What discovery costs a gateway with 1,000 endpoints in 10 slices, at 100 changes per second. */
async function main(): Promise<void> {
  const api = await ApiServerStandIn.start();
  const files = await writeStandInFiles(api);
  // One server is all replicas: it takes connections to every loopback address.
  const replica = await GrpcReplica.start({}, { host: "0.0.0.0" });
  const fleet = new FleetOfSlices(api, { slices: SLICES, perSlice: PER_SLICE, port: replica.address.port });
  const gateway = await GatewayProcess.start({
    until: "serving",
    flags: [`--replicas-service=${SERVICE}`],
    env: {
      BUILDKIT_GATEWAY_KUBERNETES_SERVER: api.url,
      BUILDKIT_GATEWAY_KUBERNETES_TOKEN_FILE: files.tokenFile,
      BUILDKIT_GATEWAY_KUBERNETES_CA_FILE: files.caFile,
      BUILDKIT_GATEWAY_KUBERNETES_NAMESPACE: "buildkit",
      // So that checks do not hide what discovery costs.
      BUILDKIT_GATEWAY_HEALTH_INTERVAL: "5m",
      BUILDKIT_GATEWAY_HEALTH_TIMEOUT: "1m",
    },
  });
  try {
    const count = SLICES * PER_SLICE;
    const allReady = async () => (await gateway.load()).readyReplicas === count;
    const beganMs = performance.now();
    await pollUntil("all replicas to be ready", allReady, { timeoutMs: 120_000, intervalMs: 200 });
    console.log(`${count} replicas ready after ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`);
    await delay(3_000);
    report("nothing changes", await measureUsage(gateway.pid, () => delay(SECONDS * 1_000)));
    const touch = (change: number) => fleet.touch(change % SLICES);
    report("100 changes/s that do not matter", await measureUsage(gateway.pid, () => paced(touch)));
    const latenciesMs: number[] = [];
    const turn = (change: number) => {
      const pod = fleet.turn(change % SLICES, Math.floor(change / SLICES) % PER_SLICE);
      const atMs = performance.now();
      const from = gateway.lines.all.length;
      const heard = gateway.lines.next("replica state changed", { replica: pod, to: "draining" }, from);
      waiting.push(heard.then(() => void latenciesMs.push(performance.now() - atMs)));
    };
    const waiting: Promise<void>[] = [];
    report("100 changes/s, each a pod that terminates", await measureUsage(gateway.pid, () => paced(turn)));
    await Promise.all(waiting);
    latenciesMs.sort((one, other) => one - other);
    const at = (share: number) => latenciesMs[Math.floor(share * (latenciesMs.length - 1))]!.toFixed(0);
    console.log(
      `from the event to its effect, ms: median ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} (${waiting.length} changes)`,
    );
  } finally {
    await gateway.kill();
    await api.close();
    replica.kill();
    await files.remove();
  }
}

/** Make `CHANGES_PER_SECOND` changes for `SECONDS`, evenly. */
async function paced(change: (index: number) => void): Promise<void> {
  const beganMs = performance.now();
  for (let index = 0; index < CHANGES_PER_SECOND * SECONDS; index++) {
    const dueMs = beganMs + (index * 1_000) / CHANGES_PER_SECOND;
    await delay(Math.max(0, dueMs - performance.now()));
    change(index);
  }
}

function report(what: string, { cpuShare, rssBeforeMiB, rssAfterMiB }: Usage): void {
  const memory = `${rssBeforeMiB.toFixed(0)} → ${rssAfterMiB.toFixed(0)} MiB`;
  console.log(`${what}: ${(cpuShare * 100).toFixed(1)} % of a core, memory ${memory}`);
}

await main();
