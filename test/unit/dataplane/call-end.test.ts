import { expect, test } from "vitest";
import { endOfReset, endOfTrailers } from "../../../src/dataplane/call-end.ts";
import { ErrorCode } from "../../../src/http2/errors.ts";
import { field } from "../../../src/http2/grpc-status.ts";

test.each([
  [[field("grpc-status", "0")], 0],
  [[field(":status", "200"), field("grpc-status", "14")], 14],
  [[field(":status", "502")], -1],
  [[field("grpc-status", "-1")], -1],
  [[field("grpc-status", "123")], -1],
])("trailers %j end a call with %d", (fields, status) => {
  expect(endOfTrailers(fields, "replica")).toEqual({ status, saidBy: "replica", message: "" });
});

test.each([
  [ErrorCode.CANCEL, 1],
  [ErrorCode.REFUSED_STREAM, 14],
  [ErrorCode.ENHANCE_YOUR_CALM, 8],
  [ErrorCode.INADEQUATE_SECURITY, 7],
  [ErrorCode.PROTOCOL_ERROR, 13],
])("a replica's reset %d is the status %d, and a client's is a cancel", (code, status) => {
  expect(endOfReset(code, "replica")).toEqual({ status, saidBy: "replica", message: "" });
  expect(endOfReset(code, "client")).toEqual({ status: 1, saidBy: "client", message: "" });
});

test.each([
  ["queue%20is full", "queue is full"],
  ["caf%C3%A9 %", "café %"],
  ["a%0Ab%1B[2J", "a b?[2J"],
  [`${"x".repeat(399)}%C3%A9`, "x".repeat(399)],
])("what was said of it is made fit for a line: %j", (encoded, message) => {
  const fields = [field("grpc-status", "2"), field("grpc-message", encoded)];
  expect(endOfTrailers(fields, "replica").message).toBe(message);
});
