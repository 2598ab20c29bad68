import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ERROR_STATUS, type ErrorKind, GatewayError } from "../../../src/base/errors.ts";
import { encodeGrpcMessage, errorTrailers, okTrailers, responseHeaders } from "../../../src/http2/grpc-status.ts";

const pairs = (fields: readonly { name: string; value: string }[]) => fields.map(({ name, value }) => [name, value]);

describe("trailers of the gateway's own", () => {
  test("hold the status of the error's kind, and its message", () => {
    for (const [kind, status] of Object.entries(ERROR_STATUS)) {
      const trailers = pairs(errorTrailers(new GatewayError(kind as ErrorKind, "queue full: 64 builds waiting")));
      expect(trailers).toEqual([
        ["grpc-status", String(status)],
        ["grpc-message", "queue full: 64 builds waiting"],
      ]);
    }
  });

  test("of a call that ended well hold no message", () => {
    expect(pairs(okTrailers())).toEqual([["grpc-status", "0"]]);
  });
});

test("response headers are gRPC's, and what follows them", () => {
  const extra = { name: "buildkit-current-timestamp", value: "now", isSensitive: false };
  expect(pairs(responseHeaders([extra]))).toEqual([
    [":status", "200"],
    ["content-type", "application/grpc"],
    ["buildkit-current-timestamp", "now"],
  ]);
});

describe("grpc-message", () => {
  test("leaves what is printable as it is, colons and slashes included", () => {
    expect(encodeGrpcMessage("replica a:1234 went away: /x?y=[1] ~")).toBe("replica a:1234 went away: /x?y=[1] ~");
  });

  test("encodes %, control characters and UTF-8 by octet", () => {
    expect(encodeGrpcMessage("100% ü\n€")).toBe("100%25 %C3%BC%0A%E2%82%AC");
  });

  test("can be decoded to what it was, whatever that is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const encoded = encodeGrpcMessage(text);
        expect(encoded).toMatch(/^[\x20-\x7e]*$/);
        expect(decodeURIComponent(encoded)).toBe(text);
      }),
    );
  });

  test("is cut where it is too long for a header, but not inside a character", () => {
    expect(encodeGrpcMessage("x".repeat(100_000)).length).toBeLessThan(10_000);
    for (const start of ["", "a", "ab", "abc"]) {
      expect(decodeURIComponent(encodeGrpcMessage(start + "😀".repeat(10_000)))).toMatch(/^a?b?c?(?:😀)+$/u);
    }
  });
});
