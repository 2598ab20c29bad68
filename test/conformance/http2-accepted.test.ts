import { describe, expect, test } from "vitest";
import { ping, settled } from "../support/raw-http2/barrier.ts";
import { Code } from "../support/raw-http2/error-code.ts";
import {
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  goawayFrame,
  headersFrame,
  pingFrame,
  rstStreamFrame,
  Setting,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, OK_FIELDS, RESPONSE_BLOCK } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { SIDES, TwoSides } from "../support/two-sides.ts";

const text = Buffer.from("fine");
/** Ends the sender's direction of stream 1. */
const END = headersFrame(1, OK_BLOCK, true);

const priority = (streamId: number, ...fields: number[]): Buffer =>
  encodeFrame(FrameType.PRIORITY, 0, streamId, Buffer.from(fields));

/** Section of RFC 9113, and what is sent. */
type Rule = [section: string, what: string, frames: Buffer];

/** What ends nothing, whichever end of a connection sends it. */
const HARMLESS: readonly Rule[] = [
  ["§4.1", "frames of unknown types", Buffer.concat([encodeFrame(0xa, 0xff, 0), encodeFrame(0xff, 0, 7, text)])],
  ["§4.1", "flags without a meaning", encodeFrame(FrameType.PING, 0xfe, 0, Buffer.alloc(8))],
  ["§4.1", "the reserved bit of a stream id", encodeFrame(8, 0, 0x8000_0001, Buffer.of(0, 0, 0, 1))],
  ["§5.1", "idle: PRIORITY", priority(99, 0, 0, 0, 0, 16)],
  ["§5.1", "half-closed (remote): WINDOW_UPDATE", Buffer.concat([END, windowUpdateFrame(1, 9)])],
  ["§5.1", "half-closed (remote): PRIORITY", Buffer.concat([END, priority(1, 0, 0, 0, 0, 16)])],
  ["§5.1", "closed: PRIORITY", priority(3, 0, 0, 0, 0, 16)],
  ["§5.1", "closed: WINDOW_UPDATE", windowUpdateFrame(3, 9)],
  ["§5.1", "closed: RST_STREAM", rstStreamFrame(3, Code.CANCEL)],
  ["§5.5", "frames of unknown types between those of streams", encodeFrame(0x42, 0x5, 1, Buffer.alloc(99))],
  ["§6.3", "PRIORITY of weight 1", priority(1, 0, 0, 0, 0, 0)],
  ["§6.3", "PRIORITY of weight 256", priority(1, 0, 0, 0, 0, 255)],
  ["§6.3", "PRIORITY on another stream", priority(1, 0, 0, 0, 3, 16)],
  ["§6.3", "PRIORITY on another stream alone", priority(1, 0x80, 0, 0, 3, 16)],
  [
    "§6.5.2",
    "SETTINGS of unknown kinds",
    settingsFrame([
      [0xff, 1],
      [0xf00d, 2 ** 32 - 1],
    ]),
  ],
  ["§6.5.3", "an acknowledgement of SETTINGS that was not asked for", settingsAckFrame()],
  ["§6.7", "an acknowledgement of a PING never sent", pingFrame(Buffer.alloc(8), true)],
  ["§6.9", "WINDOW_UPDATE on the connection", windowUpdateFrame(0, 1)],
  ["§6.9", "WINDOW_UPDATE on a stream", windowUpdateFrame(1, 1)],
  ["§6.9", "the reserved bit of an increment", encodeFrame(8, 0, 1, Buffer.of(0x80, 0, 0, 1))],
];

describe.each(SIDES)("from a %s", (side) => {
  test.each<Rule>([...HARMLESS])("%s: %s is let pass", async (_section, _what, frames) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(frames);
    await sides.expectNoError();
  });

  test("§4.2: a DATA frame of 16,384 octets arrives", async () => {
    const sides = await TwoSides.meet(side);
    const data = Buffer.alloc(16_384, 7);
    sides.sender.send(dataFrame(1, data), END);
    expect((await readMessage(sides.other, 1)).body.equals(data)).toBe(true);
  });

  test("§4.2: HEADERS and CONTINUATION of 16,384 octets arrive", async () => {
    const sides = await TwoSides.meet(side);
    const trailers = [["grpc-status", "0"] as const, ["x-long", "v".repeat(40_000)] as const];
    sides.sender.send(headersFrame(1, encodeFields(trailers), true));
    expect(await readHeaders(sides.other, 1)).toEqual(trailers);
  });

  test("§4.3: field blocks of streams that are over are decoded, so that later ones are read right", async () => {
    const sides = await TwoSides.meet(side);
    sides.other.send(rstStreamFrame(1, Code.CANCEL));
    await sides.sender.nextOf("RST_STREAM", 1);
    sides.sender.send(headersFrame(1, encodeFields([["x-kept", "in the table"]], "incremental"), true));
    sides.sender.send(
      headersFrame(5, Buffer.concat([side === "replica" ? RESPONSE_BLOCK : OK_BLOCK, Buffer.of(0x80 | 62)]), true),
    );
    expect(await readHeaders(sides.other, 5)).toContainEqual(["x-kept", "in the table"]);
  });

  test("§5.1: closed by our own RST_STREAM: whatever is still under way is let pass", async () => {
    const sides = await TwoSides.meet(side);
    sides.other.send(rstStreamFrame(1, Code.INTERNAL_ERROR));
    await sides.sender.nextOf("RST_STREAM", 1);
    sides.sender.send(dataFrame(1, text), windowUpdateFrame(1, 5), END, rstStreamFrame(1, Code.CANCEL));
    await sides.expectCallToPass();
    expect(sides.sender.received.map(({ type }) => type)).not.toContain(FrameType.GOAWAY);
    expect(sides.sender.received.map(({ type }) => type)).not.toContain(FrameType.RST_STREAM);
  });

  test("§6.1: DATA arrives in one frame, in many, empty, and padded", async () => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(
      dataFrame(1, Buffer.from("one ")),
      dataFrame(1, Buffer.from("two ")),
      dataFrame(1, Buffer.alloc(0)),
      dataFrame(1, Buffer.from("padded "), false, 255),
      dataFrame(1, Buffer.alloc(0), false, 0),
      dataFrame(1, Buffer.alloc(0), false, 9),
      dataFrame(1, Buffer.from("last"), true, 0),
    );
    expect((await readMessage(sides.other, 1)).body.toString()).toBe("one two padded last");
  });

  test("§6.2: HEADERS arrive padded, with priority, and with both", async () => {
    const sides = await TwoSides.meet(side);
    const payload = Buffer.concat([Buffer.of(7, 0x80, 0, 0, 9, 255), OK_BLOCK, Buffer.alloc(7)]);
    const flags = Flag.PADDED | Flag.PRIORITY | Flag.END_HEADERS | Flag.END_STREAM;
    sides.sender.send(encodeFrame(FrameType.HEADERS, flags, 1, payload));
    expect(await readHeaders(sides.other, 1)).toEqual(OK_FIELDS);
  });

  test("§6.5: SETTINGS may come at any time, are read in order, and each is acknowledged once", async () => {
    const { sender } = await TwoSides.meet(side);
    sender.send(
      settingsFrame([
        [Setting.INITIAL_WINDOW_SIZE, 1],
        [Setting.INITIAL_WINDOW_SIZE, 100_000],
      ]),
      settingsFrame(),
    );
    await ping(sender);
    const acknowledgements = sender.received.filter(
      ({ type, flags }) => type === FrameType.SETTINGS && flags & Flag.ACK,
    );
    expect(acknowledgements).toHaveLength(3);
    for (const { payload } of acknowledgements) expect(payload).toHaveLength(0);
  });

  test("§6.5.3: of several values of one setting the last one holds", async () => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(
      settingsFrame([
        [Setting.INITIAL_WINDOW_SIZE, 1],
        [Setting.INITIAL_WINDOW_SIZE, 70_000],
      ]),
    );
    // What the sender takes is what the other end may send.
    await sides.other.flow.until(1, (bytes) => bytes === 70_000);
  });

  test("§6.7: PING is answered with its own octets, and its acknowledgement with nothing", async () => {
    const { sender, client, replica } = await TwoSides.meet(side);
    sender.send(pingFrame(Buffer.from("01234567")), pingFrame(Buffer.from("76543210"), true));
    const answer = await sender.nextOf("PING");
    expect([answer.flags, answer.payload.toString()]).toEqual([Flag.ACK, "01234567"]);
    await settled(client, replica);
    expect(sender.received.filter(({ type }) => type === FrameType.PING)).toEqual([]);
  });

  test("§6.10: a field block may come in many CONTINUATION frames, empty ones among them", async () => {
    const sides = await TwoSides.meet(side);
    const pieces = [...OK_BLOCK].map((octet) => encodeFrame(FrameType.CONTINUATION, 0, 1, Buffer.of(octet)));
    sides.sender.send(encodeFrame(FrameType.HEADERS, Flag.END_STREAM, 1));
    sides.sender.send(encodeFrame(FrameType.CONTINUATION, 0, 1), ...pieces.slice(0, 3));
    sides.sender.send(encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, OK_BLOCK.subarray(3)));
    expect(await readHeaders(sides.other, 1)).toEqual(OK_FIELDS);
  });

  test.each([Code.NO_ERROR, 0xdead])("§7: GOAWAY with code %i leaves running calls alone", async (code) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(goawayFrame(side === "client" ? 0 : 5, code, "debug data"));
    await settled(sides.client, sides.replica);
    sides.client.send(dataFrame(1, text, true));
    expect((await readMessage(sides.replica, 1)).body.toString()).toBe("fine");
    sides.replica.send(dataFrame(1, text), END);
    expect((await readMessage(sides.client, 1)).body.toString()).toBe("fine");
  });
});
