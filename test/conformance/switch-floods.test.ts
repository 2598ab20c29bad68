import { describe, expect, test } from "vitest";
import { ping, settled } from "../support/raw-http2/barrier.ts";
import {
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  goawayFrame,
  headersFrame,
  pingFrame,
  rstStreamFrame,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const ENHANCE_YOUR_CALM = 0xb;

/** Low bounds, so that a flood is short. Time does not pass unless a test lets it. */
const settings = { LIMITS_CONTROL_FRAMES_PER_SECOND: "100", LIMITS_RESETS_PER_SECOND: "50" };

const times = (count: number, frame: (i: number) => Buffer): Buffer[] =>
  Array.from({ length: count }, (_, i) => frame(i));

/** A client with an open call 1, and another client with one too. */
async function twoClients(rig: SwitchRig) {
  const client = await rig.client();
  const bystander = await rig.client();
  for (const peer of [client, bystander]) peer.send(headersFrame(1, requestBlock()));
  const replicas = [await rig.replica.serve(), await rig.replica.serve()] as const;
  for (const replica of replicas) await readHeaders(replica, 1);
  return { client, bystander, replicas };
}

async function expectCalmDown(client: RawPeer, setting: string): Promise<void> {
  const goaway = await client.nextOf("GOAWAY");
  expect(goaway.payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
  expect(goaway.payload.toString("latin1", 8)).toContain(setting);
  await client.ended();
}

describe("a client that floods the switch is sent away, and another goes on", () => {
  test.each<[string, (i: number) => Buffer]>([
    ["PING", () => pingFrame(Buffer.alloc(8))],
    ["acknowledgements of PING", () => pingFrame(Buffer.alloc(8), true)],
    ["SETTINGS", () => settingsFrame()],
    ["acknowledgements of SETTINGS", () => settingsAckFrame()],
    ["PRIORITY", () => encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.of(0, 0, 0, 0, 1))],
    ["PRIORITY on idle streams", (i) => encodeFrame(FrameType.PRIORITY, 0, 101 + 2 * i, Buffer.of(0, 0, 0, 0, 1))],
    ["empty DATA", () => dataFrame(1, Buffer.alloc(0))],
    ["DATA that is nothing but padding", () => dataFrame(1, Buffer.alloc(0), false, 3)],
    ["frames of unknown types", () => encodeFrame(0xbe, 0, 0)],
    ["WINDOW_UPDATE", () => windowUpdateFrame(1, 1)],
    ["WINDOW_UPDATE of the connection", () => windowUpdateFrame(0, 1)],
    ["WINDOW_UPDATE on streams that are over", () => windowUpdateFrame(3, 1)],
    ["empty DATA on streams that are over", () => dataFrame(3, Buffer.alloc(0))],
    ["GOAWAY", () => goawayFrame(0, 0)],
  ])("with %s", async (_name, frame) => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander, replicas } = await twoClients(rig);
    client.send(headersFrame(3, requestBlock()), rstStreamFrame(3, 8));
    await settled(client);
    client.send(...times(210, frame));
    await expectCalmDown(client, "limits.controlFramesPerSecond");
    bystander.send(dataFrame(1, Buffer.from("fine"), true));
    expect((await readMessage(replicas[1], 1)).body.toString()).toBe("fine");
    await replicas[0].nextOf("RST_STREAM", 1);
    await replicas[0].ended();
  });

  test("with streams that it resets as soon as they are open", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    client.send(
      ...times(60, (i) => Buffer.concat([headersFrame(3 + 2 * i, requestBlock()), rstStreamFrame(3 + 2 * i, 8)])),
    );
    await expectCalmDown(client, "limits.resetsPerSecond");
    await settled(bystander);
  });

  test("with streams that it makes the switch reset", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    const open = (id: number) => Buffer.concat([headersFrame(id, requestBlock()), windowUpdateFrame(id, 0)]);
    client.send(...times(60, (i) => open(3 + 2 * i)));
    await expectCalmDown(client, "limits.resetsPerSecond");
    await settled(bystander);
  });

  test("with HEADERS on a stream that the switch has reset", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    client.send(headersFrame(3, requestBlock()), windowUpdateFrame(3, 0));
    client.send(...times(210, () => headersFrame(3, OK_BLOCK, true)));
    await expectCalmDown(client, "limits.controlFramesPerSecond");
    await settled(bystander);
  });

  test("with malformed requests, each of which it must be told about", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    client.send(...times(300, (i) => headersFrame(3 + 2 * i, Buffer.of(0x82), true)));
    await expectCalmDown(client, "limits.controlFramesPerSecond");
    await settled(bystander);
  });

  test("with a header block in very many fragments", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    client.send(encodeFrame(FrameType.HEADERS, 0, 3), ...times(100, () => encodeFrame(FrameType.CONTINUATION, 0, 3)));
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
    await settled(bystander);
  });

  test("with a header block that never ends", async () => {
    const rig = await SwitchRig.start({ settings: { ...settings, LIMITS_HEADER_LIST_BYTES: "64KiB" } });
    const { client, bystander } = await twoClients(rig);
    const fragment = Buffer.alloc(16_384);
    client.send(
      encodeFrame(FrameType.HEADERS, 0, 3),
      ...times(8, () => encodeFrame(FrameType.CONTINUATION, 0, 3, fragment)),
    );
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
    await settled(bystander);
  });

  test("with changes of the window of very many streams", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, bystander } = await twoClients(rig);
    client.send(...times(1_000, (i) => headersFrame(3 + 2 * i, requestBlock())));
    client.send(...times(20, (i) => settingsFrame([[4, 65_535 + i]])));
    await expectCalmDown(client, "limits.controlFramesPerSecond");
    await settled(bystander);
  });

  test("with SETTINGS of thousands of entries", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client } = await twoClients(rig);
    client.send(settingsFrame(Array.from({ length: 2_000 }, () => [4, 65_535] as const)));
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
  });
});

describe("what is no flood", () => {
  test("as many control frames again when a second has passed", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.client();
    for (let second = 0; second < 5; second++) {
      client.send(...times(90, () => pingFrame(Buffer.alloc(8))));
      await ping(client);
      rig.clock.advance(1_000);
    }
  });

  test("a PING for every DATA frame, as bandwidth estimation sends them, from either side", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, replicas } = await twoClients(rig);
    const [replica] = replicas;
    replica.send(headersFrame(1, RESPONSE_BLOCK), windowUpdateFrame(1, 1_000_000), windowUpdateFrame(0, 1_000_000));
    client.send(windowUpdateFrame(1, 1_000_000), windowUpdateFrame(0, 1_000_000));
    await settled(client, replica);
    for (let i = 0; i < 300; i++) {
      client.send(dataFrame(1, Buffer.alloc(100)));
      replica.send(dataFrame(1, Buffer.alloc(100)), pingFrame(Buffer.alloc(8)));
      await ping(client);
    }
    await settled(client, replica);
  });

  test("several WINDOW_UPDATEs for every DATA frame, in whatever bursts", async () => {
    const rig = await SwitchRig.start({ settings });
    const { client, replicas } = await twoClients(rig);
    const [replica] = replicas;
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    client.send(windowUpdateFrame(1, 10_000_000), windowUpdateFrame(0, 10_000_000));
    await settled(client, replica);
    replica.send(...times(500, () => dataFrame(1, Buffer.alloc(100))));
    await settled(client, replica);
    client.send(...times(1_000, () => Buffer.concat([windowUpdateFrame(1, 50), windowUpdateFrame(0, 50)])));
    await settled(client, replica);
  });

  test("a thousand streams open at once", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.client();
    client.send(...times(1_000, (i) => headersFrame(1 + 2 * i, requestBlock())));
    const replica = await rig.replica.serve();
    for (let i = 0; i < 1_000; i++) await readHeaders(replica, 1 + 2 * i);
    await settled(client, replica);
  });

  test("resets that come from the replica", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.client();
    client.send(...times(200, (i) => headersFrame(1 + 2 * i, requestBlock(), true)));
    const replica = await rig.replica.serve();
    for (let i = 0; i < 200; i++) {
      await readMessage(replica, 1 + 2 * i);
      replica.send(rstStreamFrame(1 + 2 * i, 2));
      await client.nextOf("RST_STREAM", 1 + 2 * i);
    }
    await settled(client, replica);
  });
});

describe("streams over limits.streams (RFC 9113 §5.1.2, §8.7)", () => {
  test("are refused, which lets a client try them again, and room is made by those that end", async () => {
    const rig = await SwitchRig.start({ settings: { LIMITS_STREAMS: "3" } });
    const client = await rig.client();
    client.send(...times(4, (i) => headersFrame(1 + 2 * i, requestBlock())));
    expect((await client.nextOf("RST_STREAM", 7)).payload.readUInt32BE(0)).toBe(0x7);
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    client.send(rstStreamFrame(1, 8), headersFrame(9, requestBlock()));
    for (const id of [3, 5, 7]) await readHeaders(replica, id);
    await settled(client);
    expect(client.received.map(({ type }) => type)).not.toContain(FrameType.RST_STREAM);
  });
});

describe("calls held over limits.heldStreams", () => {
  test("are answered with RESOURCE_EXHAUSTED that names the setting", async () => {
    const rig = await SwitchRig.start({ settings: { LIMITS_HELD_STREAMS: "4" } });
    const client = await rig.client();
    const bridge = requestBlock("/moby.buildkit.v1.frontend.LLBBridge/Solve", [["buildkit-controlapi-buildid", "b1"]]);
    client.send(...times(5, (i) => headersFrame(1 + 2 * i, bridge)));
    const { headers } = await readMessage(client, 9);
    expect(fieldOf(headers[0], "grpc-status")).toBe("8");
    expect(fieldOf(headers[0], "grpc-message")).toContain("limits.heldStreams");
    await settled(client);
  });
});

test.each<[string, Buffer]>([
  ["PING", pingFrame(Buffer.alloc(8))],
  ["interim responses", headersFrame(1, encodeFields([[":status", "103"]]))],
])("a flood of the replica's with %s ends its connection, and not its client's", async (_name, frame) => {
  const rig = await SwitchRig.start({ settings });
  const { client, bystander, replicas } = await twoClients(rig);
  replicas[0].send(...times(300, () => frame));
  expect((await replicas[0].nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(ENHANCE_YOUR_CALM);
  const { headers } = await readMessage(client, 1);
  expect(fieldOf(headers.at(-1), "grpc-status")).toBe("14");
  await settled(client, bystander);
});

test("the flag of an unknown frame type is no acknowledgement", async () => {
  const rig = await SwitchRig.start({ settings });
  const client = await rig.client();
  client.send(encodeFrame(0xbe, Flag.ACK, 0));
  await settled(client);
});
