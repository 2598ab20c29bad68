import { describe, expect, test } from "vitest";
import { helloKind, REFUSALS } from "../../../src/dataplane/client-hello.ts";
import { FrameReader } from "../../support/raw-http2/frame-reader.ts";
import { CLIENT_PREFACE, FrameType } from "../../support/raw-http2/frames.ts";

const kindOf = (text: string | Buffer) => {
  const bytes = Buffer.concat([Buffer.from("xx"), Buffer.from(text as string, "latin1"), Buffer.from("yy")]);
  return helloKind(bytes, 2, bytes.length - 2);
};

describe("what a client speaks is told by its first octets", () => {
  test("HTTP/2, however few of its preface have come", () => {
    for (let size = 1; size <= CLIENT_PREFACE.length; size++) {
      expect(kindOf(CLIENT_PREFACE.subarray(0, size)), `${size} octets`).toBe("http2");
    }
    expect(kindOf(Buffer.concat([CLIENT_PREFACE, Buffer.from("anything")]))).toBe("http2");
  });

  test.each([
    ["\x16\x03\x01\x02\x00", "tls"],
    ["\x16", "tls"],
    ["GET / HTTP/1.1\r\n", "http1"],
    ["POST /grpc HTTP/1.1\r\n", "http1"],
    ["OPTIONS * HTTP/1.0", "http1"],
    ["PRI * HTTP/1.1\r\n", "unknown"],
    ["GETTY", "unknown"],
    ["get / http/1.1", "unknown"],
    ["\x00\x00\x00\x04", "unknown"],
    ["SSH-2.0-OpenSSH", "unknown"],
  ] as const)("%j is %s", (text, kind) => {
    expect(kindOf(text)).toBe(kind);
  });
});

describe("a refusal is in the client's own language", () => {
  test("unknown: SETTINGS, then GOAWAY with a reason", () => {
    const types: number[] = [];
    let reason = "";
    const reader = new FrameReader({
      wantsPayload: () => true,
      frame: (type, _flags, _id, length, bytes, start) => {
        types.push(type);
        if (type === FrameType.GOAWAY) reason = bytes.toString("latin1", start + 8, start + length);
      },
    });
    reader.push(REFUSALS.unknown);
    expect(types).toEqual([FrameType.SETTINGS, FrameType.GOAWAY]);
    expect(reason).not.toBe("");
  });

  test("http1: a whole answer of HTTP/1.1", () => {
    const [head, body] = REFUSALS.http1.toString().split("\r\n\r\n") as [string, string];
    expect(head).toMatch(/^HTTP\/1\.1 426 /);
    expect(head).toMatch(new RegExp(`^Content-Length: ${Buffer.byteLength(body)}$`, "m"));
  });

  test("tls: a fatal alert in one record (RFC 8446 §5.1, §6)", () => {
    expect(REFUSALS.tls.readUInt16BE(3)).toBe(REFUSALS.tls.length - 5);
    expect([REFUSALS.tls[0], REFUSALS.tls[5]]).toEqual([21, 2]);
  });
});
