import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM_FOLDER } from "./program-folder.ts";

/** The version in the program's package.json. */
export function programVersion(): string {
  const text = readFileSync(join(PROGRAM_FOLDER, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
