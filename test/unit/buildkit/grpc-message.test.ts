import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { frameMessage, readFirstMessage } from "../../../src/buildkit/grpc-message.ts";

const MAX_BYTES = 1 << 20;

function compressed(payload: Buffer): Buffer {
  const framed = frameMessage(payload);
  framed[0] = 1;
  return framed;
}

test("a message is framed and read again, wherever its body is cut", () => {
  const body = Buffer.concat([frameMessage(Buffer.from("hello")), frameMessage(Buffer.from("next"))]);
  for (let cut = 0; cut <= body.length; cut++) {
    const read = readFirstMessage(body.subarray(0, cut), undefined, MAX_BYTES);
    if (cut < 5) expect(read).toEqual({ t: "incomplete", wantedBytes: 5 });
    else if (cut < 10) expect(read).toEqual({ t: "incomplete", wantedBytes: 10 });
    else expect(read).toEqual({ t: "message", message: Buffer.from("hello"), endOffset: 10 });
  }
});

test("an empty message is one", () => {
  expect(readFirstMessage(frameMessage(Buffer.alloc(0)), undefined, MAX_BYTES)).toEqual({
    t: "message",
    message: Buffer.alloc(0),
    endOffset: 5,
  });
});

test("a message that is not compressed is not copied", () => {
  const body = frameMessage(Buffer.alloc(16 << 20));
  const read = readFirstMessage(body, "gzip", MAX_BYTES);
  expect(read.t === "message" && read.message.buffer === body.buffer).toBe(true);
});

test("the length of a message is what it says, up to 4 GiB", () => {
  const body = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
  expect(readFirstMessage(body, undefined, MAX_BYTES)).toEqual({ t: "incomplete", wantedBytes: 2 ** 32 + 4 });
});

describe("a compressed message", () => {
  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("is read with %s", (encoding, compress) => {
    const read = readFirstMessage(compressed(compress(Buffer.from("hello"))), encoding, MAX_BYTES);
    expect(read).toMatchObject({ t: "message", message: Buffer.from("hello") });
  });

  test.each([
    ["an encoding that we do not know", "snappy", Buffer.from("x")],
    ["the encoding identity", "identity", Buffer.from("x")],
    ["no encoding", undefined, Buffer.from("x")],
    ["nothing in it", "gzip", Buffer.alloc(0)],
    ["something else in it", "gzip", Buffer.from("hello")],
    ["a cut stream", "gzip", gzipSync(Buffer.from("hello")).subarray(0, 12)],
    ["a raw deflate stream", "deflate", deflateRawSync(Buffer.from("hello"))],
  ])("is refused with %s", (_what, encoding, payload) => {
    expect(readFirstMessage(compressed(payload), encoding, MAX_BYTES).t).toBe("malformed");
  });

  test("may grow to its bound and not beyond", () => {
    const atBound = compressed(gzipSync(Buffer.alloc(MAX_BYTES)));
    expect(readFirstMessage(atBound, "gzip", MAX_BYTES)).toMatchObject({ t: "message" });
    const bomb = compressed(gzipSync(Buffer.alloc(256 << 20)));
    expect(bomb.length).toBeLessThan(MAX_BYTES);
    const startMs = performance.now();
    expect(readFirstMessage(bomb, "gzip", MAX_BYTES)).toEqual({
      t: "malformed",
      reason: `message is not gzip, or over ${MAX_BYTES} bytes`,
    });
    expect(performance.now() - startMs).toBeLessThan(500);
  });
});

test.each([2, 0x7f, 0x80, 0xff])("message flag %i is refused", (flag) => {
  expect(readFirstMessage(Buffer.from([flag, 0, 0, 0, 0]), undefined, MAX_BYTES)).toEqual({
    t: "malformed",
    reason: `message flag ${flag}`,
  });
});
