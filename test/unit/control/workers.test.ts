import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { endpoint, startReplica } from "../../support/fleet-under-test.ts";
import { FacadeRig } from "./facade-rig.ts";

const { ListWorkers, Info } = controlRpcs;
const AMD64 = ["linux/amd64"];
const EMULATED = ["linux/amd64", "linux/arm64"];

async function workersOf(rig: FacadeRig) {
  const { values, status: ended, message } = await rig.ask(ListWorkers, {});
  expect(ended, message).toBe(0);
  return values[0]!.record;
}

describe("the workers of a fleet", () => {
  test("are one for each set of platforms, labelled with how many replicas there are and whose word it is", async () => {
    const replicas = {
      a: await startReplica({ platforms: AMD64 }),
      b: await startReplica({ platforms: EMULATED }),
      c: await startReplica({ platforms: AMD64 }),
    };
    const rig = new FacadeRig(replicas);
    await rig.ready("a", "b", "c");
    const workers = await workersOf(rig);
    expect(workers.map(({ Labels }) => Labels["buildkit-gateway.replicas"])).toEqual(["2", "1"]);
    expect(workers.map(({ platforms }) => platforms.map(({ Architecture }) => Architecture))).toEqual([
      ["amd64"],
      ["amd64", "arm64"],
    ]);
    expect(workers[0]!.Labels).toMatchObject({
      "buildkit-gateway.version": "1.2.3",
      "buildkit-gateway.pool": "default",
      "org.mobyproject.buildkit.worker.hostname": "buildkit-gateway",
      "org.mobyproject.buildkit.worker.executor": "oci",
    });
  });

  test("have ids that are the same at another gateway, and after any replica's end", async () => {
    const [a, b] = [await startReplica({ workerId: "of a" }), await startReplica({ workerId: "of b" })];
    const one = new FacadeRig({ a, b });
    const other = new FacadeRig({ b });
    await one.ready("a", "b");
    await other.ready("b");
    const id = (await workersOf(one))[0]!.ID;
    expect((await workersOf(other))[0]!.ID).toBe(id);
    one.lab.fleet.reportFailure("a", "lost");
    expect((await workersOf(one))[0]!.ID).toBe(id);
    one.lab.fleet.reportFailure("b", "lost");
    expect(await workersOf(one)).toMatchObject([{ ID: id, Labels: { "buildkit-gateway.replicas": "0" } }]);
    const third = new FacadeRig({ b }, { poolName: "another" });
    await third.ready("b");
    expect((await workersOf(third))[0]!.ID).not.toBe(id);
  });

  test("cannot be told where two architectures are even, and why is told with what to do", async () => {
    const [a, b] = [await startReplica({ platforms: AMD64 }), await startReplica({ platforms: ["linux/arm64/v8"] })];
    const rig = new FacadeRig({ a });
    await rig.ready("a");
    rig.lab.report(endpoint("a", a), endpoint("b", b));
    await rig.lab.reaches("b", "ejected");
    const text =
      "replicas of one pool build for linux/amd64 (a) and linux/arm64 (b): give each architecture a pool of its own (pools), or say which this one is for (platforms)";
    for (const rpc of [ListWorkers, Info]) {
      expect(await rig.call(rpc, {})).toMatchObject({ status: status.FAILED_PRECONDITION, message: text });
    }
    rig.lab.report(endpoint("a", a));
    expect(await workersOf(rig)).toHaveLength(1);
  });
});
