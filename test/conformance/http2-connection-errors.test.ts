import { describe, expect, test } from "vitest";
import { Code } from "../support/raw-http2/error-code.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  goawayFrame,
  headersFrame,
  MAX_WINDOW_BYTES,
  pingFrame,
  rstStreamFrame,
  Setting,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeIndexed } from "../support/raw-http2/hpack-encoder.ts";
import { SwitchRig } from "../support/switch-rig.ts";
import { SIDES, type Side, TwoSides } from "../support/two-sides.ts";

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR } = Code;

const none = Buffer.alloc(0);
const octets = (count: number): Buffer => Buffer.alloc(count);
const setting = (id: number, value: number): Buffer => settingsFrame([[id, value]]);

/** Trailers of stream 1, the rest of which does not follow. */
const openBlock = encodeFrame(FrameType.HEADERS, Flag.END_STREAM, 1, OK_BLOCK.subarray(0, 5));
const restOfBlock = (flags: number, streamId = 1): Buffer =>
  encodeFrame(FrameType.CONTINUATION, flags, streamId, OK_BLOCK.subarray(5));

/** Section of RFC 9113, what is sent, and the code of the GOAWAY that answers it. */
type Rule = [section: string, what: string, frames: Buffer, code: number, orCode?: number];

/** Rules for both ends of a connection. */
const RULES: readonly Rule[] = [
  ["§4.2", "a DATA frame over 16,384 octets", dataFrame(1, octets(16_385)), FRAME_SIZE_ERROR],
  ["§4.2", "a HEADERS frame over 16,384 octets", encodeFrame(1, 0, 1, octets(16_385)), FRAME_SIZE_ERROR],
  ["§4.2", "a SETTINGS frame over 16,384 octets", encodeFrame(4, 0, 0, octets(16_386)), FRAME_SIZE_ERROR],
  ["§4.2", "an unknown frame over 16,384 octets", encodeFrame(0xee, 0, 0, octets(16_385)), FRAME_SIZE_ERROR],
  ["§4.2", "padded DATA without a pad length", encodeFrame(0, Flag.PADDED, 1), FRAME_SIZE_ERROR],
  ["§4.2", "padded HEADERS without a pad length", encodeFrame(1, Flag.PADDED, 1), FRAME_SIZE_ERROR],
  ["§4.2", "HEADERS too short for their priority", encodeFrame(1, Flag.PRIORITY, 1, octets(4)), FRAME_SIZE_ERROR],
  ["§4.2", "GOAWAY of 7 octets", encodeFrame(FrameType.GOAWAY, 0, 0, octets(7)), FRAME_SIZE_ERROR],

  ["§4.3", "a field block that is not HPACK", headersFrame(1, encodeIndexed([99]), true), COMPRESSION_ERROR],
  ["§4.3", "HEADERS that end inside a field", headersFrame(1, Buffer.of(0x40, 0x05), true), COMPRESSION_ERROR],
  ["§4.3", "PRIORITY inside a field block", Buffer.concat([openBlock, priority(1)]), PROTOCOL_ERROR],
  ["§4.3", "HEADERS inside a field block", Buffer.concat([openBlock, headersFrame(7, OK_BLOCK)]), PROTOCOL_ERROR],

  ["§5.1", "idle: DATA", dataFrame(9, none), PROTOCOL_ERROR],
  ["§5.1", "idle: RST_STREAM", rstStreamFrame(9, 8), PROTOCOL_ERROR],
  ["§5.1", "idle: WINDOW_UPDATE", windowUpdateFrame(9, 1), PROTOCOL_ERROR],
  ["§5.1", "idle: CONTINUATION", restOfBlock(Flag.END_HEADERS, 9), PROTOCOL_ERROR],
  ["§5.1", "idle, of the other end's: DATA", dataFrame(8, none), PROTOCOL_ERROR],
  ["§5.1", "idle, of the other end's: RST_STREAM", rstStreamFrame(8, 8), PROTOCOL_ERROR],
  ["§5.1", "idle, of the other end's: WINDOW_UPDATE", windowUpdateFrame(8, 1), PROTOCOL_ERROR],
  [
    "§5.1",
    "half-closed (remote): CONTINUATION",
    Buffer.concat([headersFrame(1, OK_BLOCK, true), restOfBlock(Flag.END_HEADERS)]),
    PROTOCOL_ERROR,
  ],
  ["§5.1", "closed: CONTINUATION", restOfBlock(Flag.END_HEADERS, 3), PROTOCOL_ERROR],
  [
    "§5.1",
    "closed by the sender's RST_STREAM: CONTINUATION",
    Buffer.concat([rstStreamFrame(1, 8), restOfBlock(Flag.END_HEADERS)]),
    PROTOCOL_ERROR,
  ],
  ["§5.1.1", "HEADERS on an even stream", headersFrame(8, requestBlock()), PROTOCOL_ERROR],

  [
    "§5.5",
    "an unknown frame inside a field block",
    Buffer.concat([openBlock, encodeFrame(0xee, 0, 0)]),
    PROTOCOL_ERROR,
  ],

  ["§6.1", "DATA on stream 0", dataFrame(0, none), PROTOCOL_ERROR],
  ["§6.1", "padded DATA on stream 0", dataFrame(0, none, false, 3), PROTOCOL_ERROR],
  ["§6.1", "DATA of nothing but a pad length over 0", encodeFrame(0, Flag.PADDED, 1, Buffer.of(1)), PROTOCOL_ERROR],
  ["§6.1", "DATA padded to its whole length", encodeFrame(0, Flag.PADDED, 1, Buffer.of(3, 0, 0)), PROTOCOL_ERROR],

  ["§6.2", "HEADERS on stream 0", headersFrame(0, OK_BLOCK, true), PROTOCOL_ERROR],
  ["§6.2", "HEADERS padded over their length", encodeFrame(1, Flag.PADDED | 5, 1, Buffer.of(9, 0)), PROTOCOL_ERROR],
  [
    "§6.2",
    "HEADERS whose padding covers their priority",
    encodeFrame(1, Flag.PADDED | Flag.PRIORITY | 5, 1, Buffer.of(4, 0, 0, 0, 0, 16, 0)),
    PROTOCOL_ERROR,
  ],
  ["§6.2", "DATA inside a field block", Buffer.concat([openBlock, dataFrame(1, Buffer.from("x"))]), PROTOCOL_ERROR],
  ["§6.2", "empty DATA inside a field block", Buffer.concat([openBlock, dataFrame(1, none)]), PROTOCOL_ERROR],
  ["§6.2", "SETTINGS inside a field block", Buffer.concat([openBlock, settingsFrame()]), PROTOCOL_ERROR],
  ["§6.2", "PING inside a field block", Buffer.concat([openBlock, pingFrame(octets(8))]), PROTOCOL_ERROR],
  ["§6.2", "RST_STREAM inside a field block", Buffer.concat([openBlock, rstStreamFrame(1, 8)]), PROTOCOL_ERROR],
  ["§6.2", "WINDOW_UPDATE inside a field block", Buffer.concat([openBlock, windowUpdateFrame(0, 1)]), PROTOCOL_ERROR],
  ["§6.2", "GOAWAY inside a field block", Buffer.concat([openBlock, goawayFrame(0, 0)]), PROTOCOL_ERROR],
  [
    "§6.2",
    "CONTINUATION of another stream inside a field block",
    Buffer.concat([openBlock, restOfBlock(Flag.END_HEADERS, 3)]),
    PROTOCOL_ERROR,
  ],

  ["§6.3", "PRIORITY on stream 0", priority(0), PROTOCOL_ERROR],
  // A stream error, but no RST_STREAM may name an idle stream (§6.4).
  [
    "§6.3",
    "PRIORITY of 4 octets on an idle stream",
    encodeFrame(FrameType.PRIORITY, 0, 9, octets(4)),
    FRAME_SIZE_ERROR,
  ],

  ["§6.4", "RST_STREAM on stream 0", rstStreamFrame(0, 8), PROTOCOL_ERROR],
  ["§6.4", "RST_STREAM of 3 octets", encodeFrame(FrameType.RST_STREAM, 0, 1, octets(3)), FRAME_SIZE_ERROR],
  ["§6.4", "RST_STREAM of 5 octets", encodeFrame(FrameType.RST_STREAM, 0, 1, octets(5)), FRAME_SIZE_ERROR],

  ["§6.5", "an acknowledgement with a payload", encodeFrame(4, Flag.ACK, 0, octets(6)), FRAME_SIZE_ERROR],
  ["§6.5", "SETTINGS on a stream", encodeFrame(FrameType.SETTINGS, 0, 1), PROTOCOL_ERROR],
  ["§6.5", "an acknowledgement on a stream", encodeFrame(FrameType.SETTINGS, Flag.ACK, 1), PROTOCOL_ERROR],
  ["§6.5", "SETTINGS of 5 octets", encodeFrame(FrameType.SETTINGS, 0, 0, octets(5)), FRAME_SIZE_ERROR],
  ["§6.5", "SETTINGS of 7 octets", encodeFrame(FrameType.SETTINGS, 0, 0, octets(7)), FRAME_SIZE_ERROR],
  ["§6.5.2", "ENABLE_PUSH of 2", setting(Setting.ENABLE_PUSH, 2), PROTOCOL_ERROR],
  ["§6.5.2", "INITIAL_WINDOW_SIZE of 2^31", setting(Setting.INITIAL_WINDOW_SIZE, 2 ** 31), FLOW_CONTROL_ERROR],
  ["§6.5.2", "INITIAL_WINDOW_SIZE of 2^32-1", setting(Setting.INITIAL_WINDOW_SIZE, 2 ** 32 - 1), FLOW_CONTROL_ERROR],
  ["§6.5.2", "MAX_FRAME_SIZE of 0", setting(Setting.MAX_FRAME_SIZE, 0), PROTOCOL_ERROR],
  ["§6.5.2", "MAX_FRAME_SIZE of 16,383", setting(Setting.MAX_FRAME_SIZE, 16_383), PROTOCOL_ERROR],
  ["§6.5.2", "MAX_FRAME_SIZE of 2^24", setting(Setting.MAX_FRAME_SIZE, 2 ** 24), PROTOCOL_ERROR],

  ["§6.6", "PUSH_PROMISE", pushPromise(1), PROTOCOL_ERROR],
  ["§8.4", "PUSH_PROMISE on stream 0", pushPromise(0), PROTOCOL_ERROR],

  ["§6.7", "PING on a stream", encodeFrame(FrameType.PING, 0, 1, octets(8)), PROTOCOL_ERROR],
  ["§6.7", "PING of 7 octets", encodeFrame(FrameType.PING, 0, 0, octets(7)), FRAME_SIZE_ERROR],
  ["§6.7", "PING of 9 octets", encodeFrame(FrameType.PING, 0, 0, octets(9)), FRAME_SIZE_ERROR],
  ["§6.7", "an acknowledgement of 0 octets", encodeFrame(FrameType.PING, Flag.ACK, 0), FRAME_SIZE_ERROR],

  ["§6.8", "GOAWAY on a stream", encodeFrame(FrameType.GOAWAY, 0, 1, octets(8)), PROTOCOL_ERROR],

  ["§6.9", "WINDOW_UPDATE of 0 on the connection", windowUpdateFrame(0, 0), PROTOCOL_ERROR],
  ["§6.9", "WINDOW_UPDATE of 3 octets", encodeFrame(FrameType.WINDOW_UPDATE, 0, 0, octets(3)), FRAME_SIZE_ERROR],
  ["§6.9", "WINDOW_UPDATE of 5 octets", encodeFrame(FrameType.WINDOW_UPDATE, 0, 1, octets(5)), FRAME_SIZE_ERROR],
  ["§6.9.1", "a connection window over 2^31-1", windowUpdateFrame(0, MAX_WINDOW_BYTES), FLOW_CONTROL_ERROR],
  [
    "§6.9.2",
    "an INITIAL_WINDOW_SIZE that takes a stream's window over 2^31-1",
    Buffer.concat([windowUpdateFrame(1, MAX_WINDOW_BYTES - 65_535), setting(Setting.INITIAL_WINDOW_SIZE, 65_536)]),
    FLOW_CONTROL_ERROR,
  ],

  ["§6.10", "CONTINUATION without HEADERS", restOfBlock(Flag.END_HEADERS), PROTOCOL_ERROR],
  ["§6.10", "CONTINUATION on stream 0", Buffer.concat([openBlock, restOfBlock(Flag.END_HEADERS, 0)]), PROTOCOL_ERROR],
  [
    "§6.10",
    "CONTINUATION behind the end of its block",
    Buffer.concat([openBlock, restOfBlock(Flag.END_HEADERS), restOfBlock(Flag.END_HEADERS)]),
    PROTOCOL_ERROR,
  ],
  [
    "§6.10",
    "SETTINGS between two CONTINUATION frames",
    Buffer.concat([openBlock, restOfBlock(0).subarray(0, 0), encodeFrame(9, 0, 1), settingsFrame()]),
    PROTOCOL_ERROR,
  ],
  [
    "§6.10",
    "CONTINUATION behind DATA",
    Buffer.concat([dataFrame(1, Buffer.from("x")), restOfBlock(Flag.END_HEADERS)]),
    PROTOCOL_ERROR,
  ],
];

/** Rules for what only a client or only a replica can do. */
const RULES_OF: Readonly<Record<Side, readonly Rule[]>> = {
  client: [
    ["§5.1", "closed: HEADERS", headersFrame(3, requestBlock(), true), STREAM_CLOSED],
    [
      "§5.1",
      "closed by the client's RST_STREAM: HEADERS",
      Buffer.concat([rstStreamFrame(1, 8), headersFrame(1, OK_BLOCK, true)]),
      STREAM_CLOSED,
    ],
    // Stream 9 was closed by the opening of 11 (§5.1.1), which allows either name for it.
    [
      "§5.1.1",
      "a stream id lower than one before",
      Buffer.concat([headersFrame(11, requestBlock(), true), headersFrame(9, requestBlock(), true)]),
      PROTOCOL_ERROR,
      STREAM_CLOSED,
    ],
  ],
  replica: [
    ["§5.1", "idle: HEADERS on a stream that nobody opened", headersFrame(9, RESPONSE_BLOCK), PROTOCOL_ERROR],
    // It may say 0 and nothing else; a client's 1 means what no word of it means.
    ["§6.5.2", "ENABLE_PUSH of 1", setting(Setting.ENABLE_PUSH, 1), PROTOCOL_ERROR],
    ["§6.6", "PUSH_PROMISE on a stream that is over", pushPromise(3), PROTOCOL_ERROR],
  ],
};

function priority(streamId: number): Buffer {
  return encodeFrame(FrameType.PRIORITY, 0, streamId, octets(5));
}

function pushPromise(streamId: number): Buffer {
  return encodeFrame(
    FrameType.PUSH_PROMISE,
    Flag.END_HEADERS,
    streamId,
    Buffer.concat([Buffer.of(0, 0, 0, 2), OK_BLOCK]),
  );
}

describe.each(SIDES)("a %s's connection, and no other, ends with GOAWAY (RFC 9113 §5.4.1) after", (side) => {
  test.each<Rule>([...RULES, ...RULES_OF[side]])("%s: %s", async (_section, _what, frames, code, orCode = code) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(frames);
    await sides.expectConnectionError(code, orCode);
  });
});

describe("a connection that does not begin with SETTINGS ends (RFC 9113 §3.4)", () => {
  const beginnings: readonly [what: string, frame: Buffer][] = [
    ["HEADERS", headersFrame(1, requestBlock())],
    ["DATA", dataFrame(1, none)],
    ["PING", pingFrame(octets(8))],
    ["an acknowledgement of SETTINGS", settingsAckFrame()],
    ["an unknown frame", encodeFrame(0xee, 0, 0)],
  ];

  test.each(beginnings)("§3.4: a client's, with %s", async (_what, frame) => {
    const rig = await SwitchRig.start();
    const client = await rig.silentClient();
    client.send(CLIENT_PREFACE, frame);
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(PROTOCOL_ERROR);
    await client.ended();
  });

  test.each(beginnings)("§3.4: a replica's, with %s", async (_what, frame) => {
    const rig = await SwitchRig.start({ replicas: 1 });
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.accepted();
    replica.send(frame);
    expect((await replica.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(PROTOCOL_ERROR);
    await replica.ended();
  });
});

test("§6.8: a GOAWAY of ours at the end names the last stream that was served: what comes too late may be sent elsewhere", async () => {
  const { rig, client } = await TwoSides.meet("client");
  const stopped = rig.gateway.stop();
  client.send(headersFrame(7, requestBlock(), true));
  const { payload } = await client.nextOf("GOAWAY");
  expect([payload.readUInt32BE(0), payload.readUInt32BE(4)]).toEqual([5, Code.NO_ERROR]);
  await client.ended();
  await stopped;
  expect(client.received.filter(({ streamId }) => streamId === 7)).toEqual([]);
});

test("§6.8: a GOAWAY of ours names the highest stream that was taken, so that a client knows what it may try again", async () => {
  const { client } = await TwoSides.meet("client");
  client.send(headersFrame(11, requestBlock()), dataFrame(0, none));
  expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(0)).toBe(11);
});
