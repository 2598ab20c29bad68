import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { ping } from "../support/raw-http2/barrier.ts";
import { dataFrame, headersFrame, rstStreamFrame } from "../support/raw-http2/frames.ts";
import { requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import type { RanBuild } from "./build-books.ts";

/** Builds that are given up before they run, each with a ref and a session: a little more than the gateway remembers. */
const BUILDS = 21_000;

/** Builds of one client, one after another: fewer than the resets that it may make in a second. */
const OF_ONE = 500;

/** RFC 9113 §7. */
const CANCEL = 8;

/**
 * Bring a gateway to the state of one that has run for days: refs and sessions
 * of builds are remembered up to a bound, and what is remembered would look like
 * a leak until it is reached. No replica takes builds meanwhile.
 */
export async function fillMemory(
  gateway: GatewayProcess,
  token: string,
  replicas: readonly LabReplica[],
): Promise<RanBuild[]> {
  const drainAll = async (method: "POST" | "DELETE") => {
    for (const { name } of replicas) await gateway.ask(`/drain/${name}`, { method, token });
  };
  await drainAll("POST");
  const builds: RanBuild[] = [];
  for (let done = 0; done < BUILDS; done += OF_ONE) builds.push(...(await giveUpBuilds(gateway)));
  await drainAll("DELETE");
  await pollUntil("all replicas to take builds", async () => (await gateway.load()).readyReplicas === replicas.length);
  return builds;
}

/** One client, that resets each Solve right behind its end: the gateway has read it by then. */
async function giveUpBuilds({ address }: GatewayProcess): Promise<RanBuild[]> {
  const fromMs = Date.now();
  const refs = Array.from({ length: OF_ONE }, () => randomUUID());
  const socket = connect(Number(address.split(":").at(-1)), "127.0.0.1");
  await once(socket, "connect");
  const peer = new RawPeer(socket, "client");
  peer.begin("client");
  const block = requestBlock(SOLVE);
  for (const [index, ref] of refs.entries()) {
    const streamId = 2 * index + 1;
    const body = solveMessage({ ref, buildSession: randomUUID() });
    peer.send(headersFrame(streamId, block), dataFrame(streamId, body, true), rstStreamFrame(streamId, CANCEL));
  }
  await ping(peer);
  await peer.destroy();
  const toMs = Date.now();
  return refs.map((ref) => ({
    client: `given up build ${ref}`,
    refs: [ref],
    fromMs,
    toMs,
    wish: "to leave it",
    told: "nothing",
    message: "",
  }));
}
