import { expect, test } from "vitest";
import { createLog } from "../../../src/base/log.ts";
import { readableLog } from "../../../src/base/readable-log.ts";

function logTo(hasColours: boolean) {
  const shown: string[] = [];
  const log = createLog("trace", readableLog({ write: (text) => shown.push(text), hasColours }));
  // The time of day is whatever it is.
  return { log, text: () => shown.join("").replaceAll(/^\d\d:\d\d:\d\d\.\d{3} /gm, "") };
}

test("a line has the time of day, the level, what happened, and its fields", () => {
  const shown: string[] = [];
  const log = createLog("info", readableLog({ write: (text) => shown.push(text), hasColours: false }));
  log.info({ replica: "buildkit-0", waitedMs: 12, steps: { total: 3 }, reason: "least loaded" }, "build ended");
  expect(shown).toHaveLength(1);
  expect(shown[0]).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} INFO {2}build ended replica=buildkit-0 waitedMs=12 steps=\{"total":3\} reason="least loaded"\n$/,
  );
});

test("the level has a colour where colours are wished", () => {
  const { log, text } = logTo(true);
  log.child({ pool: "a" }).warn("replica state changed");
  log.error("admin port failed");
  expect(text()).toBe(
    "\u001b[33mWARN \u001b[0m replica state changed pool=a\n\u001b[31mERROR\u001b[0m admin port failed\n",
  );
});

test("an error has its stack below", () => {
  const { log, text } = logTo(false);
  const error = new Error("no such file\nmore of it");
  error.stack = "Error: no such file\nmore of it\n    at open (file.ts:1:2)";
  log.debug({ err: error, path: "/status" }, "admin route failed");
  expect(text()).toBe(
    'DEBUG admin route failed err="no such file\\nmore of it" path=/status\n    at open (file.ts:1:2)\n',
  );
});

test("nothing that a client has named is acted on by a terminal, or looks like another line", () => {
  const { log, text } = logTo(false);
  log.info({ key: "a\u001b[2J\nERROR b", job: "c\u009b31m\u202ed", workflow: "x=\u2028y" }, "build ended");
  expect(text()).toBe('INFO  build ended key="a\\u001b[2J\\nERROR b" job=c?31m?d workflow="x=?y"\n');
});
