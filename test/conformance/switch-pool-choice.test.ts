import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseAddress } from "../../src/base/address.ts";
import { GatewayError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { loadSidecarConfig } from "../../src/config/load.ts";
import { downstreamLimits } from "../../src/configured-limits.ts";
import { Switch } from "../../src/dataplane/switch.ts";
import type { PoolChoice, SwitchPool } from "../../src/dataplane/switch-options.ts";
import { Callers } from "../../src/identity/callers.ts";
import { Policy } from "../../src/identity/policy.ts";
import { StraightRouter } from "../../src/routing/straight-router.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { messageOf, statusOf } from "../support/raw-build.ts";
import { headersFrame } from "../support/raw-http2/frames.ts";
import { requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { ScriptedReplica, SWITCH_MARK_BYTES } from "../support/scripted-replica.ts";

/** A switch whose clients are led to the pool that `choice` says at the time of a call, each of one replica. */
async function startSwitch() {
  const loaded = loadSidecarConfig({
    argv: ["--upstream=tcp://unused:1"],
    env: { BUILDKIT_GATEWAY_LIMITS_REPLICA_HEADER_LIST_BYTES: `${SWITCH_MARK_BYTES}B` },
    readFile: () => Buffer.alloc(0),
  });
  if (loaded.t === "invalid") throw new Error(JSON.stringify(loaded.problems));
  const { limits } = loaded.config;
  const log = silentLog();
  const dataplane = new Switch({
    clock: new FakeClock(),
    log,
    limits: downstreamLimits(limits, 0),
    maxConnections: limits.connections,
    tlsMode: "off",
    tls: undefined,
    facadePaths: new Set(),
    callers: new Callers({ trust: [] }),
    policy: new Policy([]),
  });
  onTestFinished(() => dataplane.stop());
  const pool = async (name: string) => {
    const replica = await ScriptedReplica.start(name);
    onTestFinished(() => replica.stop());
    const side: SwitchPool = {
      router: new StraightRouter(name),
      log,
      replicaTls: undefined,
      joinFacade: (duplex) => duplex.destroy(),
      replicaAddress: () => parseAddress(replica.address),
      cachedPong: () => undefined,
      onReplicaGoingAway: () => {},
      onReplicaLost: () => {},
    };
    return { replica, side };
  };
  const [trusted, untrusted] = [await pool("trusted"), await pool("untrusted")];
  const choice: { current: ReturnType<PoolChoice> } = { current: trusted.side };
  const address = await dataplane.listen(parseAddress("tcp://127.0.0.1:0"), () => choice.current);
  const client = async () => {
    const socket = connect({ port: (address as { port: number }).port, host: "127.0.0.1", noDelay: true });
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    const peer = new RawPeer(socket, "client");
    peer.begin("client");
    await peer.nextOf("SETTINGS");
    return peer;
  };
  return { trusted, untrusted, choice, client };
}

test("a connection that was opened before its caller was known does not keep the pool of that time", async () => {
  const { trusted, untrusted, choice, client } = await startSwitch();
  const early = await client();
  early.send(headersFrame(1, requestBlock(), true));
  await readHeaders(await trusted.replica.serve(), 1);
  choice.current = untrusted.side;
  early.send(headersFrame(3, requestBlock(), true));
  const answer = await readMessage(early, 3);
  expect([statusOf(answer), messageOf(answer)]).toEqual([
    "7",
    "another pool is for this caller now than when this connection began: connect again",
  ]);
  const late = await client();
  late.send(headersFrame(1, requestBlock(), true));
  await readHeaders(await untrusted.replica.serve(), 1);
});

test("a connection whose first call was refused takes calls once its caller may use a pool", async () => {
  const { trusted, choice, client } = await startSwitch();
  choice.current = new GatewayError("not_allowed", "who is that?");
  const peer = await client();
  peer.send(headersFrame(1, requestBlock(), true));
  expect(messageOf(await readMessage(peer, 1))).toBe("who is that?");
  choice.current = trusted.side;
  peer.send(headersFrame(3, requestBlock(), true));
  await readHeaders(await trusted.replica.serve(), 1);
});
