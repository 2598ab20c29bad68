import { describe, expect, test } from "vitest";
import { BRIDGE_ID, messageOf, SESSION_ID, SOLVE_ID, STATUS_ID, sendBuild, statusOf } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, FrameType, headersFrame, pingFrame, windowUpdateFrame } from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK } from "../support/raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { sendBody } from "../support/raw-http2/send-body.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const IDS = [SESSION_ID, STATUS_ID, SOLVE_ID, BRIDGE_ID];

/** A gateway with one replica, which runs a build. */
async function runningBuild(settings: Readonly<Record<string, string>> = {}) {
  const rig = await SwitchRig.start({ settings: { HEALTH_FROZEN_AFTER: "30s", HEALTH_FAILURES: "1", ...settings } });
  const client = await rig.client();
  sendBuild(client);
  const replica = await rig.replica.serve();
  for (const id of IDS) await readHeaders(replica, id);
  return { rig, client, replica };
}

/** Let the check of the only replica fail, so that it is out. */
async function putOut(rig: SwitchRig): Promise<void> {
  rig.replica.grpc.behaviour.refusal = Object.assign(new Error("not now"), { code: 14, details: "not now" });
  const out = new Promise<void>((resolve) => rig.fleet.onChange(({ state }) => state.t === "ejected" && resolve()));
  rig.clock.advance(5_000);
  await out;
}

async function expectLost(client: RawPeer): Promise<void> {
  const [session, status, solve, bridge] = await Promise.all(IDS.map((id) => readMessage(client, id)));
  expect([session, status, solve, bridge].map((message) => statusOf(message!))).toEqual(["0", "0", "14", "14"]);
  expect(messageOf(solve!)).toMatch(/^replica r1 went away: silent for 30s \(health\.frozenAfter\), and out: ./);
}

async function expectGoesOn(client: RawPeer, replica: RawPeer): Promise<void> {
  client.send(dataFrame(SESSION_ID, Buffer.from("more")));
  expect((await replica.nextOf("DATA", SESSION_ID)).payload.toString()).toBe("more");
}

describe("a build on a replica that fails its health checks", () => {
  test("ends with UNAVAILABLE that names the replica and the setting, where it answers no PING in time", async () => {
    const { rig, client, replica } = await runningBuild();
    await putOut(rig);
    expect((await replica.nextOf("PING")).flags).toBe(0);
    rig.clock.advance(29_999);
    await settled(client);
    expect(rig.leftBehind).toEqual([[1], [0]]);
    rig.clock.advance(1);
    await expectLost(client);
    await replica.ended();
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test("goes on where it answers the PING, and is asked again only after five minutes", async () => {
    const { rig, client, replica } = await runningBuild();
    await putOut(rig);
    replica.send(pingFrame((await replica.nextOf("PING")).payload, true));
    await settled(client, replica);
    rig.clock.advance(30_000);
    rig.clock.advance(270_000);
    await expectGoesOn(client, replica);
    expect(replica.received.filter(({ type, flags }) => type === FrameType.PING && flags === 0)).toEqual([]);
    rig.clock.advance(40_000);
    await replica.nextOf("PING");
    rig.clock.advance(30_000);
    await expectLost(client);
  });

  test("goes on where it sends anything else", async () => {
    const { rig, client, replica } = await runningBuild();
    await putOut(rig);
    replica.send(windowUpdateFrame(0, 1));
    await settled(client, replica);
    rig.clock.advance(30_000);
    await expectGoesOn(client, replica);
  });

  test("goes on where it is well again by then", async () => {
    const { rig, client, replica } = await runningBuild();
    await putOut(rig);
    rig.replica.grpc.behaviour.refusal = undefined;
    rig.clock.advance(10_000);
    await rig.allReady();
    rig.clock.advance(20_000);
    await expectGoesOn(client, replica);
  });

  test("goes on where its client reads too slowly for its answer to be seen", async () => {
    const { rig, client, replica } = await runningBuild({ LIMITS_BACKLOG_BYTES: "64KiB" });
    replica.send(headersFrame(SESSION_ID, RESPONSE_BLOCK));
    client.send(windowUpdateFrame(SESSION_ID, 100_000_000), windowUpdateFrame(0, 100_000_000));
    await settled(client, replica);
    client.socket.pause();
    const sending = sendBody(replica, SESSION_ID, Buffer.alloc(40_000_000), { isEndStream: false });
    const isStuck = () => (replica.socket as unknown as { writableLength: number }).writableLength > 0;
    for (let quietTurns = 0; quietTurns < 200; quietTurns = isStuck() ? quietTurns + 1 : 0)
      await new Promise(setImmediate);
    await putOut(rig);
    rig.clock.advance(60_000);
    client.socket.resume();
    await sending;
    await settled(client, replica);
    expect(rig.leftBehind).toEqual([[1], [0]]);
  });

  test("waits for ever where health.frozenAfter is 0", async () => {
    const { rig, client, replica } = await runningBuild({ HEALTH_FROZEN_AFTER: "0s" });
    await putOut(rig);
    rig.clock.advance(3_600_000);
    await expectGoesOn(client, replica);
    expect(replica.received.map(({ type }) => type)).not.toContain(FrameType.PING);
  });
});

test("a frozen replica is no matter where it runs nothing for a client", async () => {
  const { rig, client, replica } = await runningBuild();
  client.send(dataFrame(SESSION_ID, Buffer.alloc(0), true));
  replica.send(...IDS.map((id) => headersFrame(id, RESPONSE_BLOCK, true)));
  for (const id of IDS) await readMessage(client, id);
  await putOut(rig);
  rig.clock.advance(60_000);
  await settled(client, replica);
  expect(replica.received.filter(({ type, flags }) => type === FrameType.PING && flags === 0)).toEqual([]);
});
