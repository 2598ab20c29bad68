import { expect, test } from "vitest";
import { createLog, setLogLevel } from "../../../src/base/log.ts";

test("a change of level counts for everything that was made from the log, and is made from it later", () => {
  const lines: string[] = [];
  const log = createLog("info", { write: (line: string) => void lines.push(JSON.parse(line).msg) });
  const child = log.child({ replica: "a" });
  const grandchild = child.child({ client: "b" });
  grandchild.debug("not yet");
  setLogLevel(log, "debug");
  log.debug("one");
  child.debug("two");
  grandchild.debug("three");
  child.child({}).debug("four");
  setLogLevel(log, "warn");
  grandchild.info("no more");
  expect(lines).toEqual(["one", "two", "three", "four"]);
});
