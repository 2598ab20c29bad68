import { expect, test } from "vitest";
import { maxOpenFiles } from "../../../src/base/open-files.ts";
import { connectionRoom } from "../../../src/dataplane/connection-room.ts";

test.each([
  [20_000, 1_048_576, 20_000],
  [20_000, 1_024, 384],
  [20_000, 40, 15],
  [20_000, 1, 1],
  [100, 1_024, 100],
])("of %i connections and %i open files there is room for %i", (connections, openFiles, room) => {
  expect(connectionRoom(connections, openFiles)).toBe(room);
});

test("this process has a bound of open files", () => {
  expect(maxOpenFiles()).toBeGreaterThan(0);
});
