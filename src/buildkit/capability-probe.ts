import { randomUUID } from "node:crypto";
import type { ReplicaChannel } from "./replica-channel.ts";
import { bridgeRpcs, controlRpcs } from "./wire-contracts.ts";

/** Names the build that a frontend's call belongs to (moby/buildkit client/buildid). */
const BUILD_ID_HEADER = "buildkit-controlapi-buildid";

/**
 * Ask a daemon what its frontends can do, and return its `PongResponse` as bytes.
 *
 * A Solve without definition and frontend makes the daemon wait for calls of a
 * frontend on the client's side; being internal, it enters no history. It needs
 * no session, and ends when the empty result is returned, as buildx's own
 * probe does (moby/buildkit solver/llbsolver, Solve; control/gateway).
 */
export async function probeCapabilities(channel: ReplicaChannel, timeoutMs: number): Promise<Buffer> {
  const buildRef = randomUUID().replaceAll("-", "");
  const ending = new AbortController();
  const options = { timeoutMs, signal: ending.signal };
  const frontendOptions = { ...options, metadata: { [BUILD_ID_HEADER]: buildRef } };
  const solve = channel.call(
    controlRpcs.Solve,
    controlRpcs.Solve.requestSerialize({ Ref: buildRef, Internal: true }),
    options,
  );
  const frontend = async () => {
    const pong = await channel.call(bridgeRpcs.Ping, bridgeRpcs.Ping.requestSerialize({}), frontendOptions);
    await channel.call(bridgeRpcs.Return, bridgeRpcs.Return.requestSerialize({ result: {} }), frontendOptions);
    return pong;
  };
  try {
    // The first to fail ends the others, so that no build is left waiting on the daemon.
    const [pong] = await Promise.all([frontend(), solve]);
    return pong;
  } finally {
    ending.abort();
  }
}
