import type { KnownFlag } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { PROGRAM } from "./command.ts";
import type { HelpRow } from "./help.ts";

/** Mode and owner of the files that `trust` writes. */
export interface FileRights {
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** The flags that say how files are written, for commands that write some. */
export const RIGHTS_FLAGS: readonly KnownFlag[] = [
  { flag: "--mode", isRepeatable: false },
  { flag: "--owner", isRepeatable: false },
];

/** What {@link RIGHTS_FLAGS} are, for a help text. */
export const RIGHTS_HELP: readonly HelpRow[] = [
  { term: "--mode MODE", lines: ["Permissions of what is written. Default: 0644."] },
  { term: "--owner UID:GID", lines: ["Owner of what is written, such as 1000:1000. Default: whoever runs this."] },
];

/** Read {@link RIGHTS_FLAGS}. */
export function readRights(values: ReadonlyMap<string, readonly string[]>): {
  readonly rights: FileRights;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const modeText = values.get("--mode")?.[0] ?? "0644";
  if (!/^0?[0-7]{3}$/.test(modeText)) {
    problems.push({ subject: "--mode", message: `not permissions: ${JSON.stringify(modeText)} (write 0644)` });
  }
  const ownerText = values.get("--owner")?.[0];
  const owner = /^(\d{1,9}):(\d{1,9})$/.exec(ownerText ?? "");
  if (ownerText !== undefined && !owner) {
    problems.push({ subject: "--owner", message: `not an owner: ${JSON.stringify(ownerText)} (write 1000:1000)` });
  }
  const mode = Number.parseInt(modeText, 8);
  return { rights: { mode, ...(owner && { owner: { uid: Number(owner[1]), gid: Number(owner[2]) } }) }, problems };
}

/** The values of a flag that must be given, with the problem where it is not; `example`: `--out FILE`. */
export function required(
  values: ReadonlyMap<string, readonly string[]>,
  flag: string,
  example: string,
): { readonly given: readonly string[]; readonly problems: readonly Problem[] } {
  const given = values.get(flag) ?? [];
  const problems = given.length === 0 ? [{ subject: flag, message: `is needed: ${PROGRAM} ${example}` }] : [];
  return { given, problems };
}
