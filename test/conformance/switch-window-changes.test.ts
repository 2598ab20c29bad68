import { describe, expect, test } from "vitest";
import { expectKept, initialWindow, openCalls } from "../support/open-calls.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { headersFrame, settingsFrame, windowUpdateFrame } from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK } from "../support/raw-http2/grpc-fields.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";
import { SwitchRig } from "../support/switch-rig.ts";

describe("SETTINGS_INITIAL_WINDOW_SIZE that changes while streams are open (RFC 9113 §6.9.2)", () => {
  test("on the replica's side, up: the client may send as much more", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 1);
    await sendBody(client, 1, Buffer.alloc(65_535), { isEndStream: false });
    expect(client.flow.window(1)).toBe(0);
    replica.send(settingsFrame(initialWindow(100_000)));
    await client.flow.until(1, (bytes) => bytes === 100_000 - 65_535);
    await settled(client, replica);
    expect(client.flow.window(1)).toBe(100_000 - 65_535);
  });

  test("on the replica's side, down: what it takes back is withheld from later updates", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 1);
    // The replica's window goes to 10,000 - 65,535; the client cannot be told, but what it sends waits.
    replica.send(settingsFrame(initialWindow(10_000)));
    await replica.nextOf("SETTINGS");
    await settled(client, replica);
    const body = bodyOf(7, 90_000);
    const sending = sendBody(client, 1, body);
    const request = readMessage(replica, 1);
    await client.flow.until(1, (bytes) => bytes <= 0);
    await settled(client, replica);
    replica.send(windowUpdateFrame(1, 50_000));
    await settled(client, replica);
    // 60,000 granted in all and 65,535 sent: the client hears of none of it.
    expect(client.flow.window(1)).toBe(0);
    replica.send(windowUpdateFrame(1, 40_000));
    await sending;
    expect((await request).body.equals(body)).toBe(true);
    expectKept(replica);
  });

  test("on the replica's side, down below what was sent: the window is negative until enough is granted", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 1);
    await sendBody(client, 1, Buffer.alloc(60_000, 1), { isEndStream: false });
    await settled(client, replica);
    replica.send(settingsFrame(initialWindow(0)));
    await replica.nextOf("SETTINGS");
    await settled(client, replica);
    // The client still has the 5,535 that it was granted before: they wait in the switch.
    await sendBody(client, 1, Buffer.alloc(5_535, 2), { isEndStream: false });
    await settled(client, replica);
    expect(replica.flow.grantedWindow(1)).toBe(-60_000);
    replica.send(windowUpdateFrame(1, 60_000));
    await settled(client, replica);
    expect(replica.flow.grantedWindow(1)).toBe(0);
    replica.send(windowUpdateFrame(1, 5_535 + 10));
    await client.flow.until(1, (bytes) => bytes === 10);
    await sendBody(client, 1, Buffer.alloc(10, 3));
    const { body } = await readMessage(replica, 1);
    expect(body.equals(Buffer.concat([Buffer.alloc(60_000, 1), Buffer.alloc(5_535, 2), Buffer.alloc(10, 3)]))).toBe(
      true,
    );
    expectKept(replica);
  });

  test("on the client's side, up and down: the replica sends what the client takes, and never more", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 2);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    const body = bodyOf(8, 400_000);
    const sending = sendBody(replica, 1, body);
    const response = readMessage(client, 1);
    for (const bytes of [100_000, 20_000, 0, 1, 200_000, 65_535]) {
      client.send(settingsFrame(initialWindow(bytes)));
      await settled(client, replica);
    }
    client.send(windowUpdateFrame(1, 400_000));
    await sending;
    expect((await response).body.equals(body)).toBe(true);
    expectKept(client);
  });
});
