import { Metadata } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { readDaemonTimeMs } from "../../../src/buildkit/daemon-time.ts";

function headers(timestamp?: string): Metadata {
  const metadata = new Metadata();
  if (timestamp !== undefined) metadata.set("buildkit-current-timestamp", timestamp);
  return metadata;
}

test.each([
  ["1970-01-01T00:00:01Z", 1_000],
  ["1970-01-01T00:00:01.123456789Z", 1_123],
  ["1970-01-01T02:00:01.5+02:00", 1_500],
])("a daemon's clock is read from %s", (timestamp, timeMs) => {
  expect(readDaemonTimeMs(headers(timestamp))).toBe(timeMs);
});

test.each([undefined, "", "1", "1970-01-01", "1970-13-01T00:00:01Z", `1970-01-01T00:00:01.${"1".repeat(9_000)}Z`])(
  "no clock is read from %s",
  (timestamp) => {
    expect(readDaemonTimeMs(headers(timestamp))).toBeUndefined();
  },
);
