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
  expect(endOfTrailers(fields, "replica")).toEqual({ status, saidBy: "replica" });
});

test.each([
  [ErrorCode.CANCEL, 1],
  [ErrorCode.REFUSED_STREAM, 14],
  [ErrorCode.ENHANCE_YOUR_CALM, 8],
  [ErrorCode.INADEQUATE_SECURITY, 7],
  [ErrorCode.PROTOCOL_ERROR, 13],
])("a replica's reset %d is the status %d, and a client's is a cancel", (code, status) => {
  expect(endOfReset(code, "replica")).toEqual({ status, saidBy: "replica" });
  expect(endOfReset(code, "client")).toEqual({ status: 1, saidBy: "client" });
});
