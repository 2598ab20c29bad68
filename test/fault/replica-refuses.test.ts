import { afterAll, beforeAll, expect, test } from "vitest";
import { buildAndLocate, checkOut } from "../support/builds/repository.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Door } from "../support/lab/door.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";

await describeWithLab("a replica that refuses new connections while its health checks still succeed", (lab) => {
  let replicas: readonly LabReplica[];
  const doors = new Map<LabReplica, Door>();
  let gateway: GatewayProcess;

  beforeAll(async () => {
    replicas = await lab().startReplicas(3);
    for (const replica of replicas) doors.set(replica, await Door.open({ to: replica.address }));
    gateway = await GatewayProcess.start({
      replicas: replicas.map((replica) => ({ name: replica.name, address: doors.get(replica)!.address })),
    });
  });
  afterAll(async () => {
    await gateway?.kill();
    for (const door of doors.values()) door.close();
  });

  test.for(BUILDX_VERSIONS)("is passed over, and the user does not notice: buildx %s", async (version) => {
    const buildx = await lab().createBuilder({ version, address: gateway.address });
    const folder = await checkOut(lab(), buildx, `acme/refused-${version}`);
    const { replica: preferred } = await buildAndLocate(lab(), buildx, folder, replicas);
    const others = replicas.filter((replica) => replica !== preferred);
    const warm = (await buildAndLocate(lab(), buildx, folder, replicas)).result;

    const from = gateway.lines.all.length;
    doors.get(preferred)!.shut();
    const { result, replica: next } = await buildAndLocate(lab(), buildx, folder, others);
    const ejected = gateway.lines.next("replica state changed", { replica: preferred.name, to: "ejected" }, from);
    expect((await ejected).reason).toContain("ECONNREFUSED");
    expect(steps(result.stderr)).toEqual(steps(warm.stderr));
    console.log(`buildx ${version}: ${result.durationMs.toFixed(0)} ms; warm before ${warm.durationMs.toFixed(0)} ms`);

    await doors.get(preferred)!.reopen();
    await gateway.lines.next("replica state changed", { replica: preferred.name, to: "ready" }, from);
    // Its cache is where it was built meanwhile.
    expect((await buildAndLocate(lab(), buildx, folder, replicas)).replica).toBe(next);
  });
});

/** The steps that a user sees, without what depends on a cache or the moment: BuildKit numbers them as they come. */
function steps(stderr: string): string[] {
  const lines = stderr.match(/^#\d+ \[.*$|^.*(?:WARN|ERROR).*$/gm) ?? [];
  return [...new Set(lines.map((line) => line.replace(/^#\d+ /, "")))].sort();
}
