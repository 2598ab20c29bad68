import { expect, test } from "vitest";
import { isSuccess, statusHeaders, trailersOf } from "../../../src/dataplane/response-fields.ts";
import { field } from "../../../src/http2/grpc-status.ts";
import { headerValue } from "../../../src/http2/header-field.ts";

test.each([
  ["2026-11-24T12:10:35.123Z", "2026-11-24T12:10:35.123Z"],
  ["2026-11-24T12:10:35.120Z", "2026-11-24T12:10:35.12Z"],
  ["2026-11-24T12:10:30.000Z", "2026-11-24T12:10:30Z"],
  ["2026-11-24T10:00:00.000Z", "2026-11-24T10:00:00Z"],
])("a Status that begins at %s says so as Go does: %s", (now, text) => {
  expect(headerValue(statusHeaders(new Date(now)), "buildkit-current-timestamp")).toBe(text);
});

test("of a response of trailers alone, what began it is left out", () => {
  const fields = [field(":status", "200"), field("content-type", "application/grpc"), field("grpc-status", "5")];
  expect(trailersOf(fields)).toEqual([field("grpc-status", "5")]);
});

test("a call has gone well with grpc-status 0 and with nothing else", () => {
  expect(isSuccess([field("grpc-status", "0")])).toBe(true);
  for (const fields of [[], [field("grpc-status", "5")], [field("grpc-status", "00")], [field(":status", "200")]]) {
    expect(isSuccess(fields)).toBe(false);
  }
});
