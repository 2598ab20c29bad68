import { constants } from "node:http2";
import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { contentRpcs, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { startReplica } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { FacadeRig, openCall, type Rpc, resultOf } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { DiskUsage, Prune, ListenBuildHistory, UpdateBuildHistory } = controlRpcs;

interface Question {
  readonly name: string;
  readonly rpc: Rpc<never>;
  readonly request: object;
}

/** Every question that goes to more than one replica. */
const QUESTIONS: readonly Question[] = [
  { name: "du", rpc: DiskUsage, request: {} },
  { name: "prune", rpc: Prune, request: { all: true } },
  { name: "a list of builds", rpc: ListenBuildHistory, request: { EarlyExit: true } },
  { name: "the newest builds", rpc: ListenBuildHistory, request: { EarlyExit: true, Limit: 3 } },
  { name: "a build of nobody's", rpc: ListenBuildHistory, request: { EarlyExit: true, Ref: "nobody" } },
  { name: "live history", rpc: ListenBuildHistory, request: {} },
  { name: "finalize", rpc: UpdateBuildHistory, request: { Ref: "nobody", Finalize: true } },
  { name: "a list of content", rpc: contentRpcs.List, request: {} },
];

/** Two replicas that take every call and answer none. */
async function startRig(): Promise<{ rig: FacadeRig; replicas: readonly GrpcReplica[] }> {
  const replicas = [await startReplica(), await startReplica()];
  const rig = new FacadeRig({ a: replicas[0]!, b: replicas[1]! });
  await rig.ready("a", "b");
  for (const replica of replicas) {
    await expect.poll(() => replica.followers, SOON).toBe(1);
    replica.behaviour.isSilent = true;
  }
  return { rig, replicas };
}

/** What is held open: timers, and sockets of the gateway and of the replicas, which are all in this process. */
function held(rig: FacadeRig): { readonly timers: number; readonly sockets: number } {
  const sockets = process.getActiveResourcesInfo().filter((resource) => resource === "TCPSocketWrap").length;
  return { timers: rig.lab.clock.delaysMs.length, sockets };
}

function times(path: string, replicas: readonly GrpcReplica[], what: "calls" | "cancelled"): number[] {
  return replicas.map((replica) => replica[what].filter((one) => one === path).length);
}

test.each(QUESTIONS)("$name leaves no call, connection or timer behind where its client cancels", async (question) => {
  const { rpc, request } = question;
  const { rig, replicas } = await startRig();
  const before = held(rig);
  const { client } = rig.join();
  const streams = Array.from({ length: 10 }, () => openCall(client, rpc, request as never));
  await expect.poll(() => times(rpc.path, replicas, "calls"), SOON).toEqual([10, 10]);
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
  await expect.poll(() => times(rpc.path, replicas, "cancelled"), SOON).toEqual([10, 10]);
  await expect.poll(() => held(rig), SOON).toEqual(before);
});

test("questions end when their client's deadline has passed, at the replicas too", async () => {
  const { rig, replicas } = await startRig();
  const { client } = rig.join();
  const results = QUESTIONS.map(({ rpc, request }) => {
    const stream = client.request({
      ":method": "POST",
      [constants.HTTP2_HEADER_PATH]: rpc.path,
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": "500m",
    });
    stream.end(grpcMessage(rpc.requestSerialize(request as never)));
    return resultOf(stream);
  });
  for (const result of results) expect((await result).status).toBe(status.DEADLINE_EXCEEDED);
  // On a slow machine some may not have come that far.
  for (const { rpc } of QUESTIONS) {
    const isOver = () => times(rpc.path, replicas, "cancelled").join() === times(rpc.path, replicas, "calls").join();
    await expect.poll(isOver, SOON).toBe(true);
  }
});
