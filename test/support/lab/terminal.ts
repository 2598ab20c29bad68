import { stripVTControlCharacters } from "node:util";
import type { Buildx, BuildxRunOptions } from "./buildx.ts";
import { type CommandResult, runCommand } from "./command.ts";

/** Run buildx in a terminal of its own, 120 columns wide, as a person would; what it draws is in `stdout`. */
export function runInTerminal(
  buildx: Buildx,
  args: readonly string[],
  options: BuildxRunOptions = {},
): Promise<CommandResult> {
  const command = [buildx.file, ...args].map(quote).join(" ");
  const env = { ...buildx.env, TERM: "xterm", ...options.env };
  return runCommand(
    "script",
    ["--quiet", "--return", "--command", `stty cols 120 rows 50; exec ${command}`, "/dev/null"],
    {
      ...options,
      env,
    },
  );
}

/** What buildx has left on the terminal: all that it drew for the last time. */
export function lastScreen(drawn: string): string {
  return stripVTControlCharacters(drawn.slice(drawn.lastIndexOf("[+] Building"))).replaceAll("\r", "");
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
