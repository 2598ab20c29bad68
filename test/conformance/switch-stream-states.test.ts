import { describe, expect, test } from "vitest";
import { expectStreamError, someStreams } from "../support/open-calls.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  headersFrame,
  rstStreamFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, encodeIndexed } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const PROTOCOL_ERROR = 0x1;
const STREAM_CLOSED = 0x5;
const FRAME_SIZE_ERROR = 0x6;
const COMPRESSION_ERROR = 0x9;

const empty = Buffer.alloc(0);

/** The client's connection ends with GOAWAY and this code; another client's goes on. */
async function expectConnectionError(rig: SwitchRig, client: RawPeer, ...codes: number[]): Promise<void> {
  const goaway = await client.nextOf("GOAWAY");
  expect(codes).toContain(goaway.payload.readUInt32BE(4));
  await client.ended();
  const bystander = await rig.client();
  await settled(bystander);
}

describe("what ends the connection", () => {
  test.each([
    ["DATA on stream 0", dataFrame(0, empty), PROTOCOL_ERROR],
    ["DATA on an idle stream", dataFrame(9, empty), PROTOCOL_ERROR],
    ["DATA that is nothing but a wrong pad length", encodeFrame(0, Flag.PADDED, 1, Buffer.of(1)), PROTOCOL_ERROR],
    ["padded DATA without a pad length", encodeFrame(0, Flag.PADDED, 1), FRAME_SIZE_ERROR],
    ["HEADERS on stream 0", headersFrame(0, requestBlock()), PROTOCOL_ERROR],
    ["HEADERS on an even stream", headersFrame(8, requestBlock()), PROTOCOL_ERROR],
    ["HEADERS on a stream that is over", headersFrame(3, requestBlock(), true), STREAM_CLOSED],
    [
      "HEADERS with more padding than payload",
      encodeFrame(1, Flag.PADDED | Flag.END_HEADERS, 5, Buffer.of(9, 0)),
      PROTOCOL_ERROR,
    ],
    ["HEADERS that are not HPACK", headersFrame(5, encodeIndexed([99])), COMPRESSION_ERROR],
    ["PRIORITY on stream 0", encodeFrame(FrameType.PRIORITY, 0, 0, Buffer.alloc(5)), PROTOCOL_ERROR],
    ["RST_STREAM on stream 0", rstStreamFrame(0, 8), PROTOCOL_ERROR],
    ["RST_STREAM on an idle stream", rstStreamFrame(5, 8), PROTOCOL_ERROR],
    ["RST_STREAM of 3 octets", encodeFrame(FrameType.RST_STREAM, 0, 1, Buffer.alloc(3)), FRAME_SIZE_ERROR],
    ["PUSH_PROMISE", encodeFrame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, 1, Buffer.alloc(4)), PROTOCOL_ERROR],
    ["PING on a stream", encodeFrame(FrameType.PING, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR],
    ["PING of 7 octets", encodeFrame(FrameType.PING, 0, 0, Buffer.alloc(7)), FRAME_SIZE_ERROR],
    ["WINDOW_UPDATE on an idle stream", windowUpdateFrame(5, 1), PROTOCOL_ERROR],
    ["WINDOW_UPDATE of 3 octets", encodeFrame(FrameType.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)), FRAME_SIZE_ERROR],
    ["CONTINUATION without HEADERS", encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, 1), PROTOCOL_ERROR],
    ["a DATA frame over 16,384 octets", dataFrame(1, Buffer.alloc(16_385)), FRAME_SIZE_ERROR],
    ["an unknown frame over 16,384 octets", encodeFrame(0xee, 0, 0, Buffer.alloc(16_385)), FRAME_SIZE_ERROR],
  ])("%s", async (_name, frame, code) => {
    const { rig, client } = await someStreams();
    client.send(frame);
    await expectConnectionError(rig, client, code);
  });

  test("a stream id lower than one before", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(7, requestBlock(), true), headersFrame(5, requestBlock(), true));
    // Stream 5 was closed by the opening of 7 (RFC 9113 §5.1.1), which allows either name for it.
    await expectConnectionError(rig, client, PROTOCOL_ERROR, STREAM_CLOSED);
  });

  const openBlock = encodeFrame(FrameType.HEADERS, 0, 5, requestBlock().subarray(0, 10));

  test.each([
    ["DATA", dataFrame(1, Buffer.from("x"))],
    ["empty DATA", dataFrame(1, empty)],
    ["HEADERS", headersFrame(7, requestBlock())],
    ["CONTINUATION of another stream", encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, 1)],
    ["PRIORITY", encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.alloc(5))],
    ["RST_STREAM", rstStreamFrame(5, 8)],
    ["SETTINGS", encodeFrame(FrameType.SETTINGS, 0, 0)],
    ["PING", encodeFrame(FrameType.PING, 0, 0, Buffer.alloc(8))],
    ["WINDOW_UPDATE", windowUpdateFrame(0, 1)],
    ["an unknown frame", encodeFrame(0xee, 0, 0)],
  ])("%s inside a header block", async (_name, frame) => {
    const { rig, client } = await someStreams();
    client.send(openBlock, frame);
    await expectConnectionError(rig, client, PROTOCOL_ERROR);
  });

  test("a first frame that is not SETTINGS", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.silentClient();
    client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), headersFrame(1, requestBlock()));
    await expectConnectionError(rig, client, PROTOCOL_ERROR);
  });

  test("names the highest stream that was taken, so that a client knows what it may try again", async () => {
    const { client } = await someStreams();
    client.send(headersFrame(11, requestBlock()), dataFrame(0, empty));
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(0)).toBe(11);
  });
});

describe("what ends a stream and leaves the connection", () => {
  test("DATA on a stream whose client has ended it", async () => {
    const { client, replica } = await someStreams();
    client.send(dataFrame(1, empty, true), dataFrame(1, Buffer.from("more")));
    await expectStreamError(client, 1, STREAM_CLOSED);
    await replica.nextOf("RST_STREAM", 1);
  });

  test("HEADERS on a stream whose client has ended it", async () => {
    const { client, replica } = await someStreams();
    client.send(dataFrame(1, empty, true), headersFrame(1, OK_BLOCK, true));
    await expectStreamError(client, 1, STREAM_CLOSED);
    await replica.nextOf("RST_STREAM", 1);
  });

  test("DATA on a stream that is over both ways", async () => {
    const { client } = await someStreams();
    client.send(dataFrame(3, Buffer.from("more")));
    await expectStreamError(client, 3, STREAM_CLOSED);
  });

  test("trailers without END_STREAM", async () => {
    const { client, replica } = await someStreams();
    client.send(headersFrame(1, OK_BLOCK));
    await expectStreamError(client, 1, PROTOCOL_ERROR);
    await replica.nextOf("RST_STREAM", 1);
  });

  test("PRIORITY of another size than 5 octets", async () => {
    const { client, replica } = await someStreams();
    client.send(encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.alloc(4)));
    await expectStreamError(client, 1, FRAME_SIZE_ERROR);
    await replica.nextOf("RST_STREAM", 1);
  });

  test("a stream that depends on itself", async () => {
    const { client } = await someStreams();
    client.send(encodeFrame(FrameType.PRIORITY, 0, 1, Buffer.of(0, 0, 0, 1, 16)));
    await expectStreamError(client, 1, PROTOCOL_ERROR);
    const flags = Flag.PRIORITY | Flag.END_HEADERS;
    client.send(encodeFrame(FrameType.HEADERS, flags, 5, Buffer.concat([Buffer.of(0, 0, 0, 5, 16), requestBlock()])));
    await expectStreamError(client, 5, PROTOCOL_ERROR);
  });
});

describe("what is let pass", () => {
  test.each([
    ["PRIORITY on an idle stream", encodeFrame(FrameType.PRIORITY, 0, 99, Buffer.alloc(5))],
    ["PRIORITY on a stream that is over", encodeFrame(FrameType.PRIORITY, 0, 3, Buffer.alloc(5))],
    ["WINDOW_UPDATE on a stream that is over", windowUpdateFrame(3, 10)],
    ["RST_STREAM on a stream that is over", rstStreamFrame(3, 8)],
    ["an acknowledgement of a PING never sent", encodeFrame(FrameType.PING, Flag.ACK, 0, Buffer.alloc(8))],
    ["frames of unknown types", Buffer.concat([encodeFrame(0xa, 0xff, 0), encodeFrame(0xff, 0, 5, Buffer.alloc(99))])],
    ["unknown flags", encodeFrame(FrameType.PING, 0xfe, 0, Buffer.alloc(8))],
    ["the reserved bit of a stream id", encodeFrame(FrameType.WINDOW_UPDATE, 0, 0x8000_0001, Buffer.of(0, 0, 0, 1))],
    ["the reserved bit of an increment", encodeFrame(FrameType.WINDOW_UPDATE, 0, 1, Buffer.of(0x80, 0, 0, 1))],
  ])("%s", async (_name, frame) => {
    const { client, replica } = await someStreams();
    client.send(frame, dataFrame(1, Buffer.from("fine"), true));
    const { body } = await readMessage(replica, 1);
    expect(body.toString()).toBe("fine");
    await settled(client);
    expect(client.received.map(({ type }) => type)).not.toContain(FrameType.GOAWAY);
  });

  test("whatever is still under way on a stream that the switch has reset", async () => {
    const { client, replica } = await someStreams();
    replica.send(rstStreamFrame(1, 2));
    await client.nextOf("RST_STREAM", 1);
    client.send(dataFrame(1, Buffer.from("late")), windowUpdateFrame(1, 5), headersFrame(1, OK_BLOCK, true));
    client.send(rstStreamFrame(1, 8));
    await settled(client, replica);
    expect(client.received.map(({ type }) => type)).not.toContain(FrameType.GOAWAY);
    expect(client.received.map(({ type }) => type)).not.toContain(FrameType.RST_STREAM);
  });
});

describe("a replica that breaks a rule", () => {
  test.each<[string, Buffer]>([
    ["a response without :status", headersFrame(1, encodeFields([["x", "y"]]))],
    [
      "a response with :path",
      headersFrame(
        1,
        encodeFields([
          [":status", "200"],
          [":path", "/"],
        ]),
      ),
    ],
    [
      "a response with :status after a field",
      headersFrame(
        1,
        encodeFields([
          ["x", "y"],
          [":status", "200"],
        ]),
      ),
    ],
    ["a status that is no number", headersFrame(1, encodeFields([[":status", "ok"]]))],
    [
      "an upper case name",
      headersFrame(
        1,
        encodeFields([
          [":status", "200"],
          ["X", "y"],
        ]),
      ),
    ],
    ["DATA before HEADERS", dataFrame(1, Buffer.from("early"))],
  ])("on one stream, %s: the stream is reset on both sides, and the other calls go on", async (_name, frame) => {
    const { client, replica } = await someStreams();
    client.send(headersFrame(5, requestBlock(), true));
    await readMessage(replica, 5);
    replica.send(frame);
    expect((await replica.nextOf("RST_STREAM", 1)).payload.readUInt32BE(0)).toBe(PROTOCOL_ERROR);
    await client.nextOf("RST_STREAM", 1);
    replica.send(headersFrame(5, RESPONSE_BLOCK), dataFrame(5, Buffer.from("fine")), headersFrame(5, OK_BLOCK, true));
    expect((await readMessage(client, 5)).body.toString()).toBe("fine");
  });

  test.each<[string, Buffer, number]>([
    ["PUSH_PROMISE", encodeFrame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, 1, Buffer.alloc(4)), PROTOCOL_ERROR],
    ["HEADERS on a stream nobody opened", headersFrame(7, RESPONSE_BLOCK), PROTOCOL_ERROR],
    ["HEADERS on a stream of its own", headersFrame(2, RESPONSE_BLOCK), PROTOCOL_ERROR],
    ["an oversized frame", encodeFrame(0xee, 0, 0, Buffer.alloc(20_000)), FRAME_SIZE_ERROR],
    ["broken HPACK", headersFrame(1, encodeIndexed([120])), COMPRESSION_ERROR],
  ])(
    "on its connection, %s: its calls fail with UNAVAILABLE, and the client's connection goes on",
    async (_name, frame, code) => {
      const { client, replica } = await someStreams();
      replica.send(frame);
      expect((await replica.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(code);
      const { headers } = await readMessage(client, 1);
      expect(headers[0]).toContainEqual(["grpc-status", "14"]);
      await settled(client);
    },
  );
});
