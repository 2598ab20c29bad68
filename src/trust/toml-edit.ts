import { scanToml, stringOf, stringsOfArray, type TomlEntry, type TomlHeader, tomlString } from "./toml-scan.ts";

/** One thing that a TOML document is to say. */
export type TomlEdit =
  /** The array of strings at `path` has `value`; made where it is not there. */
  | { readonly t: "include"; readonly path: readonly string[]; readonly value: string }
  /** The string at `path` is `value`. */
  | { readonly t: "set"; readonly path: readonly string[]; readonly value: string };

/** The edited document, or why it was not edited. */
export type TomlOutcome =
  | { readonly t: "edited"; readonly text: string }
  | { readonly t: "refused"; readonly line: number; readonly reason: string };

interface Insertion {
  readonly at: number;
  /** Characters that the text takes the place of. Default 0. */
  readonly instead?: number;
  readonly text: string;
}

/**
 * Make a TOML document say something more, and leave every other byte as it is: comments, order, spaces.
 *
 * Doing it again changes nothing. A document that is not TOML, or says something of another type in
 * that place, is refused with its line.
 */
export function editToml(text: string, edits: readonly TomlEdit[]): TomlOutcome {
  let edited = text;
  for (const edit of edits) {
    const outcome = applyEdit(edited, edit);
    if (outcome.t === "refused") return outcome;
    edited = outcome.text;
  }
  return { t: "edited", text: edited };
}

function applyEdit(text: string, edit: TomlEdit): TomlOutcome {
  const scan = scanToml(text);
  if (scan.t === "malformed") return { t: "refused", line: scan.line, reason: scan.reason };
  const { headers, entries } = scan;
  const refused = (at: number, reason: string): TomlOutcome => ({ t: "refused", line: lineOf(text, at), reason });
  const present = entries.find(({ path }) => isSame(path, edit.path));
  if (present) {
    const change = changeValue(text, present, edit);
    if (change === "other_type") {
      const wanted = edit.t === "include" ? "an array of strings" : "a string";
      return refused(present.keyStart, `${edit.path.join(".")} is not ${wanted}`);
    }
    return { t: "edited", text: change === undefined ? text : insert(text, change) };
  }
  const obstacle = headers.find(({ path, isArray }) => isArray && isPrefix(path, edit.path));
  if (obstacle) return refused(obstacle.start, `${obstacle.path.join(".")} is an array of tables`);
  const parent = entries
    .filter(({ path }) => isPrefix(path, edit.path))
    .reduce<TomlEntry | undefined>((deepest, entry) => {
      return deepest && deepest.path.length >= entry.path.length ? deepest : entry;
    }, undefined);
  const value = edit.t === "include" ? `[${tomlString(edit.value)}]` : tomlString(edit.value);
  if (parent) {
    const change = addInline(text, parent, entries, edit.path, value);
    if (change === undefined) return refused(parent.keyStart, `${parent.path.join(".")} is not a table`);
    return { t: "edited", text: insert(text, change) };
  }
  return { t: "edited", text: insert(text, addKey(text, headers, entries, edit.path, value)) };
}

function changeValue(text: string, entry: TomlEntry, edit: TomlEdit): Insertion | "other_type" | undefined {
  if (edit.t === "set") {
    const value = stringOf(text, entry);
    if (value === undefined) return "other_type";
    const instead = entry.valueEnd - entry.valueStart;
    return value === edit.value ? undefined : { at: entry.valueStart, instead, text: tomlString(edit.value) };
  }
  const strings = stringsOfArray(text, entry);
  if (strings === undefined) return "other_type";
  if (strings.some(({ value }) => value === edit.value)) return undefined;
  const last = strings.at(-1);
  if (last === undefined) return { at: entry.valueStart + 1, text: tomlString(edit.value) };
  return { at: last.end, text: `, ${tomlString(edit.value)}` };
}

/** A key of an inline table that is already there, behind its last one. */
function addInline(
  text: string,
  parent: TomlEntry,
  entries: readonly TomlEntry[],
  path: readonly string[],
  value: string,
): Insertion | undefined {
  if (text[parent.valueStart] !== "{") return undefined;
  const inside = entries.filter(({ keyStart }) => keyStart > parent.valueStart && keyStart < parent.valueEnd);
  const key = dotted(path.slice(parent.path.length));
  const at = inside.length === 0 ? parent.valueStart + 1 : Math.max(...inside.map(({ valueEnd }) => valueEnd));
  return { at, text: inside.length === 0 ? ` ${key} = ${value} ` : `, ${key} = ${value}` };
}

/** A key of its own line: in its table, beside keys that name the table, or in a table of its own at the end. */
function addKey(
  text: string,
  headers: readonly TomlHeader[],
  entries: readonly TomlEntry[],
  path: readonly string[],
  value: string,
): Insertion {
  const table = path.slice(0, -1);
  const key = dotted(path.slice(-1));
  const feed = text.includes("\r\n") ? "\r\n" : "\n";
  const header = headers.find((candidate) => isSame(candidate.path, table));
  if (header) {
    const first = entries.find(({ keyStart }) => keyStart >= header.lineEnd);
    const next = headers.find(({ start }) => start >= header.lineEnd);
    const isOwn = first && (!next || first.keyStart < next.start);
    const indent = isOwn ? indentAt(text, first.keyStart) : `${indentAt(text, header.start)}  `;
    const hasEnd = text.endsWith("\n") || header.lineEnd < text.length;
    return { at: header.lineEnd, text: `${hasEnd ? "" : feed}${indent}${key} = ${value}${feed}` };
  }
  // `"harbor".http = true` makes a table that a header could not open again (TOML 1.0, Table).
  const sibling = entries.find(
    ({ path: other, ownParts, isInline }) =>
      !isInline && isPrefix(table, other) && other.length - ownParts < table.length,
  );
  if (sibling) {
    const own = dotted(path.slice(sibling.path.length - sibling.ownParts));
    const indent = indentAt(text, sibling.keyStart);
    return { at: sibling.keyStart, text: `${own} = ${value}${feed}${indent}` };
  }
  const gap = text === "" ? "" : text.endsWith("\n") ? feed : `${feed}${feed}`;
  return { at: text.length, text: `${gap}[${dotted(table)}]${feed}  ${key} = ${value}${feed}` };
}

function dotted(path: readonly string[]): string {
  return path.map((part) => (/^[A-Za-z0-9_-]+$/.test(part) ? part : tomlString(part))).join(".");
}

function insert(text: string, { at, instead = 0, text: added }: Insertion): string {
  return text.slice(0, at) + added + text.slice(at + instead);
}

function indentAt(text: string, at: number): string {
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  return /^[ \t]*/.exec(text.slice(lineStart, at))?.[0] ?? "";
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && isPrefix(one, other);
}

/** Whether `path` begins with all of `prefix`. */
function isPrefix(prefix: readonly string[], path: readonly string[]): boolean {
  return prefix.length <= path.length && prefix.every((part, index) => part === path[index]);
}
