import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import type { Logger, LogLevel } from "../../../src/base/log.ts";
import { runService } from "../../../src/cli/run-service.ts";

/** A service that logs a debug line when the test says, and whose lines end up at a terminal. */
async function start(level: LogLevel) {
  let out = "";
  const signals = new EventEmitter();
  const context = {
    env: { NO_COLOR: "1" },
    signals,
    print: () => {},
    complain: (text: string) => (out += text),
    complainsToTerminal: true,
  };
  const started = new EventEmitter();
  const config = { log: { level }, drain: { delay: 0 } };
  const ended = runService({ t: "loaded", config }, context, async (_config, log) => {
    process.nextTick(() => started.emit("started", log));
    return { listening: [], admin: undefined, drain: async () => {}, stop: async () => {} };
  });
  const [log] = (await once(started, "started")) as [Logger];
  const end = async (): Promise<string> => {
    signals.emit("SIGINT", "SIGINT");
    await ended;
    return out.replaceAll(/^\S+ /gm, "");
  };
  return { log, signals, end };
}

test("SIGUSR2 switches the log between debug and the configured level", async () => {
  const { log, signals, end } = await start("warn");
  log.debug("one");
  signals.emit("SIGUSR2", "SIGUSR2");
  log.debug("two");
  signals.emit("SIGUSR2", "SIGUSR2");
  log.debug("three");
  expect(await end()).toBe(
    "INFO  log level changed from=warn to=debug\nDEBUG two\nINFO  log level changed from=debug to=warn\n",
  );
});

test("at a terminal the log is for people", async () => {
  const { log, end } = await start("info");
  log.warn({ replica: "buildkit-0" }, "replica state changed");
  expect(await end()).toContain("WARN  replica state changed replica=buildkit-0\n");
});
