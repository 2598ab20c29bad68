import { describe, expect, test } from "vitest";
import { Code } from "../support/raw-http2/error-code.ts";
import {
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  headersFrame,
  MAX_WINDOW_BYTES,
  rstStreamFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { SIDES, type Side, TwoSides } from "../support/two-sides.ts";

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR } = Code;

const text = Buffer.from("x");
/** Ends the sender's direction of stream 1. */
const END = headersFrame(1, OK_BLOCK, true);
/** DATA that is one octet more than a stream's first window. */
const tooMuch = (streamId: number): Buffer =>
  Buffer.concat([16_384, 16_384, 16_384, 16_384].map((bytes) => dataFrame(streamId, Buffer.alloc(bytes))));

/** Section of RFC 9113, what is sent, the stream that ends, and the code of its RST_STREAM. */
type Rule = [section: string, what: string, frames: Buffer, streamId: number, code: number];

/** Rules for both ends of a connection. */
const RULES: readonly Rule[] = [
  ["§5.1", "half-closed (remote): DATA", Buffer.concat([END, dataFrame(1, text)]), 1, STREAM_CLOSED],
  ["§5.1", "half-closed (remote): empty DATA", Buffer.concat([END, dataFrame(1, Buffer.alloc(0))]), 1, STREAM_CLOSED],
  ["§5.1", "half-closed (remote): HEADERS", Buffer.concat([END, END]), 1, STREAM_CLOSED],
  ["§5.1", "closed: DATA", dataFrame(3, text), 3, STREAM_CLOSED],
  [
    "§5.1",
    "closed by the sender's RST_STREAM: DATA",
    Buffer.concat([rstStreamFrame(1, 8), dataFrame(1, text)]),
    1,
    STREAM_CLOSED,
  ],
  ["§6.3", "PRIORITY of 4 octets", encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.alloc(4)), 1, FRAME_SIZE_ERROR],
  ["§6.3", "PRIORITY of 6 octets", encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.alloc(6)), 1, FRAME_SIZE_ERROR],
  ["RFC 7540 §5.3.1", "PRIORITY on itself", encodeFrame(2, 0, 1, Buffer.of(0, 0, 0, 1, 16)), 1, PROTOCOL_ERROR],
  ["RFC 7540 §5.3.1", "PRIORITY on itself alone", encodeFrame(2, 0, 1, Buffer.of(128, 0, 0, 1, 0)), 1, PROTOCOL_ERROR],
  ["§6.9", "WINDOW_UPDATE of 0", windowUpdateFrame(1, 0), 1, PROTOCOL_ERROR],
  ["§6.9.1", "a window over 2^31-1", windowUpdateFrame(1, MAX_WINDOW_BYTES), 1, FLOW_CONTROL_ERROR],
  ["§6.9.1", "more DATA than was granted", tooMuch(1), 1, FLOW_CONTROL_ERROR],
  ["§8.1", "a second header list that does not end the stream", headersFrame(1, OK_BLOCK), 1, PROTOCOL_ERROR],
];

const dependentOnItself = (streamId: number, block: Buffer, flags = 0): Buffer =>
  encodeFrame(
    1,
    Flag.PRIORITY | Flag.END_HEADERS | flags,
    streamId,
    Buffer.concat([Buffer.of(0, 0, 0, streamId, 16), block]),
  );

/** Rules for what only a client or only a replica can do. */
const RULES_OF: Readonly<Record<Side, readonly Rule[]>> = {
  client: [["RFC 7540 §5.3.1", "HEADERS on themselves", dependentOnItself(7, requestBlock()), 7, PROTOCOL_ERROR]],
  replica: [
    ["RFC 7540 §5.3.1", "HEADERS on themselves", dependentOnItself(5, RESPONSE_BLOCK), 5, PROTOCOL_ERROR],
    // A client's would open stream 3, and is an error of its connection.
    ["§5.1", "closed: HEADERS", headersFrame(3, OK_BLOCK, true), 3, STREAM_CLOSED],
    [
      "§5.1",
      "closed by the replica's RST_STREAM: HEADERS",
      Buffer.concat([rstStreamFrame(1, 8), headersFrame(1, OK_BLOCK, true)]),
      1,
      STREAM_CLOSED,
    ],
  ],
};

describe.each(SIDES)(
  "a %s's stream ends with RST_STREAM (RFC 9113 §5.4.2), and its connection goes on, after",
  (side) => {
    test.each<Rule>([...RULES, ...RULES_OF[side]])("%s: %s", async (_section, _what, frames, streamId, code) => {
      const sides = await TwoSides.meet(side);
      sides.sender.send(frames);
      await sides.expectStreamError(streamId, code);
    });

    test("§5.4.2: RST_STREAM is said once, however much comes on the stream afterwards", async () => {
      const sides = await TwoSides.meet(side);
      sides.sender.send(windowUpdateFrame(1, 0), dataFrame(1, text), windowUpdateFrame(1, 0), END);
      sides.sender.send(encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.alloc(4)));
      await sides.expectStreamError(1, PROTOCOL_ERROR);
      expect(sides.sender.received.filter(({ type }) => type === FrameType.RST_STREAM)).toEqual([]);
    });

    test("§5.4.2: no RST_STREAM answers an RST_STREAM", async () => {
      const sides = await TwoSides.meet(side);
      sides.sender.send(rstStreamFrame(1, 8), rstStreamFrame(1, 8), rstStreamFrame(3, 8));
      await sides.other.nextOf("RST_STREAM", 1);
      await sides.expectCallToPass();
      expect(sides.sender.received.filter(({ type }) => type === FrameType.RST_STREAM)).toEqual([]);
    });
  },
);
