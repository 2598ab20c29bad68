import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { plausibleFrames } from "../support/plausible-frames.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  FrameType,
  headersFrame,
  Setting,
  settingsFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";
import { READING_WAYS, SwitchRig } from "../support/switch-rig.ts";

const ROUNDS = 150;

/** Change some octets, or leave some out. */
function mutate(random: () => number, bytes: Buffer): Buffer {
  const mutant = Buffer.from(bytes);
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    mutant[Math.floor(random() * mutant.length)] = Math.floor(random() * 256);
  }
  return random() < 0.2
    ? Buffer.concat([mutant.subarray(0, random() * mutant.length), mutant.subarray(random() * mutant.length)])
    : mutant;
}

async function sendInPieces(random: () => number, peer: RawPeer, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !peer.socket.destroyed; ) {
    const size = 1 + Math.floor(random() ** 2 * bytes.length);
    peer.socket.write(bytes.subarray(at, at + size));
    at += size;
    if (random() < 0.5) await turn();
  }
}

/** A call from end to end, to show that the gateway serves. */
async function expectServed(rig: SwitchRig): Promise<void> {
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock()), dataFrame(1, Buffer.from("ping"), true));
  const replica = await rig.replica.serve();
  expect((await readMessage(replica, 1)).body.toString()).toBe("ping");
  replica.send(headersFrame(1, RESPONSE_BLOCK), dataFrame(1, Buffer.from("pong")), headersFrame(1, OK_BLOCK, true));
  expect((await readMessage(client, 1)).body.toString()).toBe("pong");
  await client.destroy();
  await replica.ended();
}

/** Let go of connections to the replica that fuzzed clients have caused. */
async function dropOthers(rig: SwitchRig): Promise<void> {
  while (rig.replica.waiting > 0) await (await rig.replica.accepted()).destroy();
}

describe.each(READING_WAYS)("read $way", ({ parts }) => {
  test("whatever a client sends, the gateway goes on to serve others", async () => {
    const rig = await SwitchRig.start({ parts });
    const random = seededRandom(testSeed());
    rig.replica.onSwitchSocket = (socket) => void socket.resume().write(settingsFrame());
    for (let round = 0; round < ROUNDS; round++) {
      const client = await rig.silentClient();
      const frames = plausibleFrames(random, [1, 1, 3, 5, 7, 2], false);
      const hello = Buffer.concat([CLIENT_PREFACE, settingsFrame()]);
      const bytes = Buffer.concat([hello, mutate(random, Buffer.concat(frames))]);
      await sendInPieces(random, client, random() < 0.1 ? mutate(random, bytes) : bytes);
      await turn();
      await client.destroy();
    }
    rig.clock.advance(60_000);
    await rig.fleet.ready();
    await dropOthers(rig);
    const fresh = await SwitchRig.start({ parts });
    await expectServed(fresh);
    await settled(await rig.client());
    expect(rig.fleet.replicas().map(({ runningBuilds }) => runningBuilds)).toEqual([0]);
  });

  test("whatever a replica sends, its client's connection goes on", async () => {
    const rig = await SwitchRig.start({ parts });
    const random = seededRandom(testSeed());
    for (let round = 0; round < ROUNDS; round++) {
      const client = await rig.client([[Setting.INITIAL_WINDOW_SIZE, 10_000_000]]);
      client.send(windowUpdateFrame(0, 10_000_000));
      client.send(...[1, 3, 5].map((id) => headersFrame(id, requestBlock(), random() < 0.5)));
      const replica = await rig.replica.serve();
      await replica.nextOf("HEADERS", 5);
      const frames = plausibleFrames(random, [1, 1, 3, 5], true);
      await sendInPieces(random, replica, mutate(random, Buffer.concat(frames)));
      await turn();
      await settled(client);
      await replica.destroy();
      await settled(client);
      expect(client.received.map(({ type }) => type)).not.toContain(FrameType.GOAWAY);
      expect(client.flow.violations).toEqual([]);
      await client.destroy();
      // A replica that was lost is checked again, and is ready.
      rig.clock.advance(60_000);
      await rig.fleet.ready();
    }
    await dropOthers(rig);
    await expectServed(rig);
  });
});
