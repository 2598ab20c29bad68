import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { contentRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { startReplica } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { FacadeRig } from "./facade-rig.ts";

async function replicaWith(...digests: string[]): Promise<GrpcReplica> {
  const replica = await startReplica();
  replica.streams.set(contentRpcs.List.path, (call) => {
    for (const digest of digests) call.write({ info: [{ digest, size: 3, labels: { of: digest } }] });
    call.end();
  });
  return replica;
}

test("a list of content has each digest once, whoever has it", async () => {
  const rig = new FacadeRig({ a: await replicaWith("x", "y"), b: await replicaWith("y", "z"), c: await replicaWith() });
  await rig.ready("a", "b", "c");
  const { values, status: ended } = await rig.ask(contentRpcs.List, {});
  expect(ended).toBe(0);
  const infos = values.flatMap(({ info }) => info);
  expect(infos.map(({ digest }) => digest).sort()).toEqual(["x", "y", "z"]);
  expect(infos[0]).toMatchObject({ size: "3", labels: { of: infos[0]!.digest } });
});

test("a list of content without a replica names it", async () => {
  const rig = new FacadeRig({ a: await replicaWith("x"), b: await replicaWith() });
  await rig.ready("a", "b");
  rig.lab.fleet.reportFailure("b", "lost");
  expect(await rig.call(contentRpcs.List, {})).toMatchObject({ status: status.UNAVAILABLE });
});
