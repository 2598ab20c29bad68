#!/usr/bin/env node
import { runCommandLine } from "./cli/run.ts";

const status = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  signals: process,
  print: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  parent: process.send ? process : undefined,
  terminal: process.stdout.isTTY ? process.stdout : undefined,
  complainsToTerminal: process.stderr.isTTY,
});
// Exit rather than run out: a connection that is slow to close must not keep a stopped gateway alive.
process.exit(status);
