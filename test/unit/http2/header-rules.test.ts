import { describe, expect, test } from "vitest";
import {
  isInformational,
  promisedContentBytes,
  requestFault,
  responseFault,
  trailersFault,
} from "../../../src/http2/header-rules.ts";
import { requestFields } from "../../support/raw-http2/grpc-fields.ts";
import type { Field } from "../../support/raw-http2/hpack-encoder.ts";

const list = (fields: readonly Field[]) => fields.map(([name, value]) => ({ name, value, isSensitive: false }));

describe("a request", () => {
  test("as gRPC clients send it is in order", () => {
    expect(
      requestFault(
        list(
          requestFields(undefined, [
            ["x-bin", "\x80\xff\x01"],
            ["x-empty", ""],
            ["te", "Trailers"],
          ]),
        ),
      ),
    ).toBeUndefined();
  });

  test("without :authority is in order, and CONNECT without :scheme and :path", () => {
    expect(requestFault(list(requestFields().filter(([name]) => name !== ":authority")))).toBeUndefined();
    expect(
      requestFault(
        list([
          [":method", "CONNECT"],
          [":authority", "x:1"],
        ]),
      ),
    ).toBeUndefined();
  });

  test("may have any octet in a name that RFC 9110 calls a token, and no other", () => {
    for (let octet = 0; octet < 256; octet++) {
      const name = `x${String.fromCharCode(octet)}`;
      const isRefused = requestFault(list([...requestFields(), [name, "v"]])) !== undefined;
      const isLetterOrSo = octet > 0x20 && octet < 0x7f && !(octet >= 0x41 && octet <= 0x5a) && octet !== 0x3a;
      expect(isRefused, `octet ${octet}`).toBe(!isLetterOrSo);
    }
  });

  test("may have any octet in a value but NUL, CR and LF, and no white space at its ends (RFC 9113 §8.2.1)", () => {
    for (let octet = 0; octet < 256; octet++) {
      const isRefused =
        requestFault(list([...requestFields(), ["x", `a${String.fromCharCode(octet)}b`]])) !== undefined;
      expect(isRefused, `octet ${octet}`).toBe([0, 10, 13].includes(octet));
    }
    for (const value of [" a", "a ", "\ta", "a\t"]) {
      expect(requestFault(list([...requestFields(), ["x", value]]))).toBe('value of "x"');
    }
  });

  test("of CONNECT has :authority, no :scheme and no :path (RFC 9113 §8.5)", () => {
    const connect = requestFields().map(([name, value]): Field => [name, name === ":method" ? "CONNECT" : value]);
    expect(requestFault(list(connect))).toBe("CONNECT with :scheme or :path");
    expect(requestFault(list([[":method", "CONNECT"]]))).toBe("CONNECT without :authority");
  });

  test("has the :path * only where it is OPTIONS", () => {
    const star = (method: string): Field[] => [
      [":method", method],
      [":scheme", "http"],
      [":path", "*"],
    ];
    expect(requestFault(list(star("OPTIONS")))).toBeUndefined();
    expect(requestFault(list(star("POST")))).toBe(":path without its slash");
  });

  test("has a content-length that is a length, if any", () => {
    const fault = (...lengths: string[]) =>
      requestFault(list([...requestFields(), ...lengths.map((length): Field => ["content-length", length])]));
    for (const lengths of [["0"], ["5"], ["007"], ["999999999999999"], ["5", "5"]])
      expect(fault(...lengths)).toBeUndefined();
    for (const length of ["", "-1", "+1", "1.5", "0x5", "5, 5", "five", "9999999999999999"]) {
      expect(fault(length), length).toBe("content-length that is no length");
    }
    expect(fault("5", "6")).toBe("two content-lengths");
  });

  test("names what is wrong with it, briefly", () => {
    const bad = requestFault(list([...requestFields(), ["X".repeat(5_000), "v"]]));
    expect(bad?.length).toBeLessThan(100);
  });
});

describe("a response", () => {
  test.each<[string, readonly Field[], boolean]>([
    [
      "200",
      [
        [":status", "200"],
        ["a", "b"],
      ],
      true,
    ],
    ["an interim one", [[":status", "103"]], true],
    ["that HTTP/2 does not have", [[":status", "101"]], false],
    ["none", [["a", "b"]], false],
    [
      "two",
      [
        [":status", "200"],
        [":status", "200"],
      ],
      false,
    ],
    ["one that is no number", [[":status", "2xx"]], false],
    ["one of four digits", [[":status", "2000"]], false],
    [
      "one after a field",
      [
        ["a", "b"],
        [":status", "200"],
      ],
      false,
    ],
  ])("with a :status: %s", (_name, fields, isSound) => {
    expect(responseFault(list(fields)) === undefined).toBe(isSound);
  });
});

describe("trailers", () => {
  test("have no pseudo-header and no connection header", () => {
    expect(
      trailersFault(
        list([
          ["grpc-status", "0"],
          ["grpc-status-details-bin", "AA"],
        ]),
      ),
    ).toBeUndefined();
    expect(trailersFault(list([]))).toBeUndefined();
    expect(trailersFault(list([[":status", "200"]]))).toBeDefined();
    expect(trailersFault(list([["connection", "close"]]))).toBeDefined();
  });
});

test("a response is interim by the first digit of its status", () => {
  expect(isInformational(list([[":status", "100"]]))).toBe(true);
  expect(isInformational(list([[":status", "200"]]))).toBe(false);
  expect(isInformational(list([["x", "100"]]))).toBe(false);
  expect(isInformational([])).toBe(false);
});

describe("the content that a header list promises", () => {
  const promised = (...fields: Field[]): number => promisedContentBytes(list(fields));

  test("is its content-length", () => {
    expect(promised(...requestFields(undefined, [["content-length", "0"]]))).toBe(0);
    expect(promised([":status", "200"], ["content-length", "999999999999999"])).toBe(999_999_999_999_999);
  });

  test("is unknown without one, and where a response has no content of its own", () => {
    expect(promised(...requestFields())).toBe(-1);
    for (const status of ["100", "103", "204", "304"]) {
      expect(promised([":status", status], ["content-length", "5"])).toBe(-1);
    }
  });
});
