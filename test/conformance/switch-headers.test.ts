import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, encodeFrame, Flag, FrameType, headersFrame, Setting } from "../support/raw-http2/frames.ts";
import {
  OK_BLOCK,
  RESPONSE_BLOCK,
  RESPONSE_FIELDS,
  requestBlock,
  requestFields,
} from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readMessage } from "../support/raw-http2/raw-message.ts";
import { SwitchRig } from "../support/switch-rig.ts";

/** A header block in frames of at most `pieceBytes`. */
function splitBlock(streamId: number, block: Buffer, isEndStream: boolean, pieceBytes: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length || at === 0; at += pieceBytes) {
    const isLast = at + pieceBytes >= block.length;
    const type = at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    const flags = (isLast ? Flag.END_HEADERS : 0) | (at === 0 && isEndStream ? Flag.END_STREAM : 0);
    frames.push(encodeFrame(type, flags, streamId, block.subarray(at, at + pieceBytes)));
  }
  return Buffer.concat(frames);
}

/** A value with every octet a field may hold, at a length. */
function binaryText(bytes: number): string {
  const octets = Array.from({ length: 256 }, (_, octet) => octet).filter(
    (octet) => ![0, 9, 10, 13, 32].includes(octet),
  );
  return Buffer.from(Array.from({ length: bytes }, (_, i) => octets[i % octets.length]!)).toString("latin1");
}

describe("header lists that cross the switch", () => {
  test("RFC 9113 §8.2: keep the order and the repetition of their fields, in all three lists of a call", async () => {
    const rig = await SwitchRig.start();
    const method = "x-docker-expose-session-grpc-method";
    const repeated: Field[] = [
      [method, "/a/A"],
      ["z-last", ""],
      [method, "/b/B"],
      ["a-first", "1, 2"],
      [method, "/a/A"],
      ["cookie", "a=b"],
      ["cookie", "c=d"],
    ];
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(undefined, repeated), true));
    const replica = await rig.replica.serve();
    expect((await readMessage(replica, 1)).headers).toEqual([requestFields(undefined, repeated)]);
    const response: Field[] = [...RESPONSE_FIELDS, ...repeated];
    const trailers: Field[] = [["grpc-status", "9"], ...repeated, ["grpc-message", "a%20b"]];
    replica.send(headersFrame(1, encodeFields(response)), headersFrame(1, encodeFields(trailers), true));
    expect((await readMessage(client, 1)).headers).toEqual([response, trailers]);
  });

  test("RFC 7541 §7.1.3: keep every octet of a value, and that it must not be indexed", async () => {
    const rig = await SwitchRig.start();
    const value = binaryText(600);
    const client = await rig.client();
    const secret = encodeFields([["authorization", "bearer x"]], "neverIndexed");
    client.send(headersFrame(1, Buffer.concat([requestBlock(undefined, [["x-bin", value]]), secret]), true));
    const replica = await rig.replica.serve();
    const sent = await replica.nextOf("HEADERS");
    const fields = replica.decode(sent.payload);
    expect(fields).toEqual([...requestFields(undefined, [["x-bin", value]]), ["authorization", "bearer x"]]);
    // A literal that is never indexed, named by index 23 of the static table (RFC 7541 §6.2.3, appendix A).
    expect(sent.payload.includes(Buffer.of(0x1f, 23 - 15))).toBe(true);
  });

  test("RFC 9113 §6.10: may come in many pieces in both directions, and leave in frames the other side takes", async () => {
    const rig = await SwitchRig.start();
    const big: Field = ["x-big", randomBytes(150_000).toString("hex")];
    const client = await rig.client();
    client.send(splitBlock(1, requestBlock(undefined, [big]), true, 10_000));
    const replica = await rig.replica.serve();
    expect((await readMessage(replica, 1)).headers).toEqual([requestFields(undefined, [big])]);
    replica.send(splitBlock(1, encodeFields([...RESPONSE_FIELDS, big]), false, 16_384));
    replica.send(splitBlock(1, encodeFields([["grpc-status", "2"], big]), true, 1_500));
    const { headers } = await readMessage(client, 1);
    expect(headers).toEqual([
      [...RESPONSE_FIELDS, big],
      [["grpc-status", "2"], big],
    ]);
  });

  test("RFC 9113 §4.2: leave in frames of at most 16,384 octets unless the peer takes larger ones", async () => {
    const rig = await SwitchRig.start();
    const big: Field = ["x-big", "\x7e".repeat(60_000)];
    const client = await rig.client();
    client.send(splitBlock(1, requestBlock(undefined, [big]), true, 16_384));
    const replica = await rig.replica.serve();
    await replica.next(({ type, flags }) => type === FrameType.CONTINUATION && (flags & Flag.END_HEADERS) !== 0);
    const rest = replica.received.filter(({ streamId }) => streamId === 1);
    expect(rest.length).toBeGreaterThan(1);
    for (const { payload } of rest) expect(payload.length).toBeLessThanOrEqual(16_384);

    const roomy = await rig.client([[Setting.MAX_FRAME_SIZE, 1_000_000]]);
    roomy.send(headersFrame(1, requestBlock(), true));
    const second = await rig.replica.serve();
    await readMessage(second, 1);
    second.send(splitBlock(1, encodeFields([...RESPONSE_FIELDS, big]), true, 16_384));
    const whole = await roomy.nextOf("HEADERS", 1);
    expect(whole.payload.length).toBeGreaterThan(16_384);
    expect(whole.flags & Flag.END_HEADERS).toBe(Flag.END_HEADERS);
  });

  test("may be trailers with error details of 1 MiB", async () => {
    const rig = await SwitchRig.start();
    const trailers: Field[] = [
      ["grpc-status", "2"],
      ["grpc-message", 'process "/bin/sh -c false" did not complete'],
      ["grpc-status-details-bin", randomBytes(786_432).toString("base64")],
    ];
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.serve();
    await readMessage(replica, 1);
    replica.send(headersFrame(1, RESPONSE_BLOCK), splitBlock(1, encodeFields(trailers), true, 16_384));
    expect((await readMessage(client, 1)).headers).toEqual([RESPONSE_FIELDS, trailers]);
  });
});

describe("request headers over limits.headerListBytes", () => {
  const settings = { LIMITS_HEADER_LIST_BYTES: "16KiB" };

  test("RFC 9113 §6.5.2: are announced, and answered with RESOURCE_EXHAUSTED that names the setting", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.silentClient();
    client.begin("client");
    const announced = await client.nextOf("SETTINGS");
    expect(announced.payload.toString("hex")).toContain("000600004000");

    // 600 fields of 1 + 0 octets count 33 each, but take 4 on the wire.
    const many = Array.from({ length: 600 }, (): Field => ["x", ""]);
    client.send(headersFrame(1, requestBlock(undefined, many), true));
    const { headers, body } = await readMessage(client, 1);
    expect(headers).toHaveLength(1);
    expect(fieldOf(headers[0], ":status")).toBe("200");
    expect(fieldOf(headers[0], "grpc-status")).toBe("8");
    expect(fieldOf(headers[0], "grpc-message")).toContain("limits.headerListBytes");
    expect(body).toHaveLength(0);
  });

  test("RFC 9113 §4.3: leave the connection in step: its next call goes through, dynamic table and all", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.client();
    const many = Array.from({ length: 600 }, (): Field => ["x", ""]);
    const remembered = encodeFields([["x-kept", "in the table"]], "incremental");
    client.send(headersFrame(1, Buffer.concat([requestBlock(undefined, many), remembered]), true));
    await readMessage(client, 1);
    client.send(headersFrame(3, Buffer.concat([requestBlock(), Buffer.of(0x80 | 62)]), true));
    const replica = await rig.replica.serve();
    expect((await readMessage(replica, 1)).headers).toEqual([requestFields(undefined, [["x-kept", "in the table"]])]);
  });

  test("that take more than their bound on the wire end the connection, and no other", async () => {
    const rig = await SwitchRig.start({ settings });
    const client = await rig.client();
    const bystander = await rig.client();
    client.send(splitBlock(1, requestBlock(undefined, [["x", "y".repeat(40_000)]]), true, 10_000));
    expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(0xb);
    await client.ended();
    await settled(bystander);
  });
});

test("an answer's headers over limits.replicaHeaderListBytes fail their call, and no other", async () => {
  const rig = await SwitchRig.start();
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(), true), headersFrame(3, requestBlock(), true));
  const replica = await rig.replica.serve();
  await readMessage(replica, 1);
  await readMessage(replica, 3);
  // One entry of 4,000 octets, referred to 4,200 times: over 16 MiB decoded, some 8 KiB on the wire.
  const entry = encodeFields([["x", "y".repeat(3_900)]], "incremental");
  const bomb = Buffer.concat([RESPONSE_BLOCK, entry, Buffer.alloc(4_400, 0x80 | 62)]);
  replica.send(headersFrame(1, bomb, true));
  const { headers } = await readMessage(client, 1);
  expect(fieldOf(headers[0], "grpc-status")).toBe("8");
  expect(fieldOf(headers[0], "grpc-message")).toContain("limits.replicaHeaderListBytes");
  replica.send(headersFrame(3, RESPONSE_BLOCK), dataFrame(3, Buffer.from("fine")), headersFrame(3, OK_BLOCK, true));
  expect((await readMessage(client, 3)).body.toString()).toBe("fine");
});
