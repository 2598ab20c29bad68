import { EventEmitter } from "node:events";
import { runCommandLine } from "../../../src/cli/run.ts";

/** Run a command line in this process: what it prints and exits with. */
export async function runProgram(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let out = "";
  let err = "";
  const status = await runCommandLine(argv, {
    env,
    signals: new EventEmitter(),
    print: (text) => (out += text),
    complain: (text) => (err += text),
  });
  return { status, out, err };
}
