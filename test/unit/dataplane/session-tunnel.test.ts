import { describe, expect, test } from "vitest";
import {
  DropPreface,
  DropSettingsAck,
  sessionPreface,
  TunnelFilter,
  tunnelMessage,
} from "../../../src/dataplane/session-tunnel.ts";
import { tunnelled } from "../../support/build-calls.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  encodeFrame,
  FrameType,
  settingsAckFrame,
  settingsFrame,
} from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** The tunnelled bytes of whole, uncompressed BytesMessages. */
function tunnelledBytes(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 5 + stream.readUInt32BE(at + 1);
    let start = at + 6;
    while (stream[start]! & 0x80) start++;
    parts.push(stream.subarray(start + 1, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** What passes a filter when a stream comes in pieces of these sizes, and the end after them. */
function pass(filter: TunnelFilter, stream: Buffer, cutAt: (at: number) => number, isEnd = false): Buffer {
  const passed: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = Math.max(1, cutAt(at));
    // Memory that is read into again after the call.
    const piece = Buffer.from(stream.subarray(at, at + size));
    const out = filter.push(piece, isEnd && at + size >= stream.length);
    passed.push(Buffer.from(out));
    piece.fill(0xee);
    at += size;
  }
  return Buffer.concat(passed);
}

const INNER_FROM_REPLICA = Buffer.concat([
  CLIENT_PREFACE,
  settingsFrame([[4, 9]]),
  encodeFrame(FrameType.PING, 0, 0, Buffer.alloc(8)),
]);
const INNER_FROM_CLIENT = Buffer.concat([
  settingsFrame([[4, 9]]),
  dataFrame(1, Buffer.alloc(40, 1)),
  settingsAckFrame(),
  settingsAckFrame(),
]);

describe("the replica's preface is taken out", () => {
  test.each([1, 7, 24, 30, 500])("of messages of %i octets, wherever the stream is cut", (messageBytes) => {
    const stream = Buffer.concat(chunks(INNER_FROM_REPLICA, messageBytes).map(tunnelled));
    for (let cut = 1; cut < stream.length; cut++) {
      const filter = new TunnelFilter(new DropPreface());
      const passed = pass(filter, stream, (at) => (at === 0 ? cut : stream.length));
      expect(tunnelledBytes(passed), `cut at ${cut}`).toEqual(INNER_FROM_REPLICA.subarray(24));
      expect(filter.isDone).toBe(true);
    }
  });
});

describe("the client's first acknowledgement of SETTINGS is taken out, and no other", () => {
  test.each([1, 9, 50, 500])("of messages of %i octets, wherever the stream is cut", (messageBytes) => {
    const stream = Buffer.concat(chunks(INNER_FROM_CLIENT, messageBytes).map(tunnelled));
    const expected = Buffer.concat([INNER_FROM_CLIENT.subarray(0, -18), settingsAckFrame()]);
    for (let cut = 1; cut < stream.length; cut++) {
      const passed = pass(new TunnelFilter(new DropSettingsAck()), stream, (at) => (at === 0 ? cut : stream.length));
      expect(tunnelledBytes(passed), `cut at ${cut}`).toEqual(expected);
    }
  });

  test("of octets that come one by one", () => {
    const stream = Buffer.concat(chunks(INNER_FROM_CLIENT, 13).map(tunnelled));
    const passed = pass(new TunnelFilter(new DropSettingsAck()), stream, () => 1);
    expect(tunnelledBytes(passed)).toEqual(Buffer.concat([INNER_FROM_CLIENT.subarray(0, -18), settingsAckFrame()]));
  });
});

describe("a filter", () => {
  test("passes on octet for octet what comes after what it takes out", () => {
    const random = seededRandom(7);
    const rest = Buffer.from(Array.from({ length: 5_000 }, () => Math.floor(random() * 256)));
    const stream = Buffer.concat([tunnelled(CLIENT_PREFACE), rest]);
    expect(pass(new TunnelFilter(new DropPreface()), stream, () => 1 + Math.floor(random() * 200))).toEqual(rest);
  });

  test("passes on what it cannot read, and waits for no message over 4 MiB", () => {
    const compressed = Buffer.from([1, 0, 0, 0, 3, 9, 9, 9]);
    const other = grpcMessage(Buffer.of(0x18, 5));
    const malformed = grpcMessage(Buffer.of(0x0a, 200));
    const stream = Buffer.concat([compressed, other, malformed]);
    expect(pass(new TunnelFilter(new DropPreface()), stream, () => 3)).toEqual(stream);
    const huge = Buffer.from([0, 0x7f, 0, 0, 0, 1, 2, 3]);
    const filter = new TunnelFilter(new DropPreface());
    expect(filter.push(huge, false)).toEqual(huge);
    expect(filter.isDone).toBe(true);
  });

  test("gives out what it waited with when the stream ends inside a message", () => {
    const stream = tunnelled(Buffer.from("never finished")).subarray(0, 12);
    expect(pass(new TunnelFilter(new DropSettingsAck()), stream, () => 5, true)).toEqual(stream);
  });
});

test("the message that begins a held Session is a preface and empty SETTINGS", () => {
  expect(tunnelledBytes(sessionPreface())).toEqual(Buffer.concat([CLIENT_PREFACE, settingsFrame()]));
});

test("a tunnel message is framed as gRPC frames it, at any length", () => {
  for (const bytes of [0, 1, 127, 128, 16_383, 16_384, 100_000]) {
    expect(tunnelMessage(Buffer.alloc(bytes, 7))).toEqual(tunnelled(Buffer.alloc(bytes, 7)));
  }
});

function chunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}
