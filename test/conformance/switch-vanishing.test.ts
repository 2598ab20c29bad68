import { once } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import { GatedPlacer } from "../support/gated-placer.ts";
import { sendBuild } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { CLIENT_PREFACE, dataFrame, headersFrame, settingsFrame } from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { sendBody } from "../support/raw-http2/send-body.ts";
import { SwitchRig } from "../support/switch-rig.ts";

describe("a client that vanishes leaves nothing behind", () => {
  const stages: [string, Buffer][] = [
    ["before it has said anything", Buffer.alloc(0)],
    ["inside its preface", CLIENT_PREFACE.subarray(0, 10)],
    ["after its preface", CLIENT_PREFACE],
    ["after its SETTINGS", Buffer.concat([CLIENT_PREFACE, settingsFrame()])],
    [
      "inside a frame",
      Buffer.concat([CLIENT_PREFACE, settingsFrame(), headersFrame(1, requestBlock()).subarray(0, 20)]),
    ],
    [
      "inside a Solve",
      Buffer.concat([
        CLIENT_PREFACE,
        settingsFrame(),
        headersFrame(1, requestBlock(SOLVE)),
        dataFrame(1, solveMessage({ ref: "ref1" }).subarray(0, 7)),
      ]),
    ],
  ];

  test.each(stages)("%s", async (_name, said) => {
    const rig = await SwitchRig.start({ settings: { LIMITS_CONNECTIONS: "1" } });
    for (const leave of ["destroy", "resetAndDestroy", "end"] as const) {
      const socket = await rig.socket();
      socket.resume().write(said);
      socket[leave]();
      await once(socket, "close");
    }
    // The only place is free again.
    for (;;) {
      const next = await rig.silentClient();
      next.begin("client");
      const isServed = await next.nextOf("SETTINGS").then(
        () => true,
        () => false,
      );
      if (isServed) break;
    }
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test("while its build is held", async () => {
    let gate: GatedPlacer | undefined;
    const rig = await SwitchRig.start({ wrapPlacer: (usual) => (gate = new GatedPlacer(usual)) });
    const client = await rig.client();
    const bystander = await rig.client();
    sendBuild(client);
    await gate!.asked(1);
    await client.destroy();
    await settled(bystander);
    gate!.open();
    await settled(bystander);
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test("while the switch connects to its replica", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    sendBuild(client);
    const replica = await rig.replica.accepted();
    await client.destroy();
    await replica.ended();
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test.each(["destroy", "resetAndDestroy", "end"] as const)("while its build runs (by %s)", async (leave) => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    sendBuild(client);
    const replica = await rig.replica.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(replica, id);
    expect(rig.leftBehind).toEqual([[1], [0]]);
    (client.socket as Socket)[leave]();
    for (const id of [1, 3, 5, 7]) expect((await replica.nextOf("RST_STREAM", id)).payload.readUInt32BE(0)).toBe(0x8);
    await replica.nextOf("GOAWAY");
    await replica.ended();
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test("while it reads nothing of a long answer, and its socket is full", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client([[4, 100_000_000]]);
    client.send(headersFrame(1, requestBlock(), true), Buffer.from("0000040800000000003fffffff", "hex"));
    const replica = await rig.replica.serve();
    await readMessage(replica, 1);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    await readHeaders(client, 1);
    client.socket.pause();
    const sending = sendBody(replica, 1, Buffer.alloc(40_000_000), { isEndStream: false });
    sending.catch(() => {});
    // Until the switch has stopped reading the replica, which then cannot send any more.
    const socket = replica.socket as Socket;
    while (socket.writableLength === 0) await new Promise(setImmediate);
    (client.socket as Socket).end();
    await replica.ended();
  });
});
