import { expect, test } from "vitest";
import { createLog, setLogLevel } from "../../../src/base/log.ts";

test("a change of level counts for everything that was made from the log, and is made from it later", () => {
  const lines: string[] = [];
  const log = createLog("info", {
    write: (line: string) => {
      const { msg } = JSON.parse(line);
      if (msg !== "log level changed") lines.push(msg);
    },
  });
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

test("a change of level is told once, in a line that has its own level", () => {
  const lines: unknown[] = [];
  const log = createLog("info", { write: (line: string) => lines.push(line.replace(/"time":"[^"]*",/, "")) });
  setLogLevel(log, "error");
  setLogLevel(log, "debug");
  expect(lines).toEqual([
    '{"level":30,"from":"info","to":"error","msg":"log level changed"}\n',
    '{"level":30,"from":"error","to":"debug","msg":"log level changed"}\n',
  ]);
});
