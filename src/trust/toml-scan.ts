/** A key of a TOML document with its place in the text. Offsets are in characters. */
export interface TomlEntry {
  /** The whole path: `["registry", "harbor:5000", "ca"]`. */
  readonly path: readonly string[];
  /** How many parts of the path stand in front of `=`; the others come from the table that it is in. */
  readonly ownParts: number;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** It stands in an inline table. */
  readonly isInline: boolean;
}

/** A table's header with its place in the text. */
export interface TomlHeader {
  readonly path: readonly string[];
  /** `[[…]]`, one element of an array of tables. */
  readonly isArray: boolean;
  readonly start: number;
  /** Behind the line's end. */
  readonly lineEnd: number;
}

/** Where everything in a TOML document stands, or the first thing that cannot be read. */
export type TomlScan =
  | { readonly t: "scanned"; readonly headers: readonly TomlHeader[]; readonly entries: readonly TomlEntry[] }
  | { readonly t: "malformed"; readonly line: number; readonly reason: string };

/** Deepest nesting of arrays and inline tables. */
const MAX_DEPTH = 32;

/** Most headers and keys of one document. */
const MAX_ENTRIES = 20_000;

/**
 * Find the tables and keys of a TOML 1.0 document, so that it can be edited where it has to be and
 * nowhere else. Values are found, not read: a number may be any word.
 */
export function scanToml(text: string): TomlScan {
  const scanner = new Scanner(text);
  try {
    scanner.run();
    return { t: "scanned", headers: scanner.headers, entries: scanner.entries };
  } catch (reason) {
    if (!(reason instanceof TomlFault)) throw reason;
    return { t: "malformed", line: text.slice(0, reason.at).split("\n").length, reason: reason.message };
  }
}

/** The strings of an array with their places; undefined where it is not an array of one-line strings. */
export function stringsOfArray(text: string, entry: TomlEntry): { value: string; end: number }[] | undefined {
  if (text[entry.valueStart] !== "[") return undefined;
  const scanner = new Scanner(text, entry.valueStart + 1);
  const strings: { value: string; end: number }[] = [];
  for (;;) {
    scanner.skipBlank(true);
    const next = text[scanner.at];
    if (next === "]") return strings;
    if ((next !== '"' && next !== "'") || text.startsWith(next.repeat(3), scanner.at)) return undefined;
    strings.push({ value: scanner.quoted(), end: scanner.at });
    scanner.skipBlank(true);
    if (text[scanner.at] === ",") scanner.at += 1;
  }
}

/** The value of a one-line string; undefined for any other value. */
export function stringOf(text: string, entry: TomlEntry): string | undefined {
  const first = text[entry.valueStart];
  if ((first !== '"' && first !== "'") || text.startsWith(first.repeat(3), entry.valueStart)) return undefined;
  return new Scanner(text, entry.valueStart).quoted();
}

/** A basic string, quotes included. */
export function tomlString(value: string): string {
  // TOML's escapes are those of JSON (TOML 1.0, String).
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

class TomlFault extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Scanner {
  readonly headers: TomlHeader[] = [];
  readonly entries: TomlEntry[] = [];
  readonly #text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.#text = text;
    this.at = at;
  }

  run(): void {
    let table: readonly string[] = [];
    for (;;) {
      this.skipBlank(true);
      if (this.at >= this.#text.length) return;
      if (this.headers.length + this.entries.length >= MAX_ENTRIES) this.#fail(`more than ${MAX_ENTRIES} keys`);
      if (this.#text[this.at] === "[") table = this.#header();
      else {
        this.#entry(table, false, 0);
        this.#endOfLine();
      }
    }
  }

  #header(): readonly string[] {
    const start = this.at;
    const isArray = this.#text.startsWith("[[", start);
    this.at += isArray ? 2 : 1;
    const path = this.#key();
    this.#expect(isArray ? "]]" : "]");
    this.#endOfLine();
    this.headers.push({ path, isArray, start, lineEnd: this.at });
    return path;
  }

  #entry(table: readonly string[], isInline: boolean, depth: number): void {
    const keyStart = this.at;
    const key = this.#key();
    this.#expect("=");
    this.skipBlank(false);
    const valueStart = this.at;
    const path = [...table, ...key];
    const index = this.entries.length;
    this.#value(path, depth);
    if (this.at === valueStart) this.#fail("no value");
    this.entries.splice(index, 0, { path, ownParts: key.length, keyStart, valueStart, valueEnd: this.at, isInline });
  }

  #value(path: readonly string[], depth: number): void {
    if (depth > MAX_DEPTH) this.#fail(`nested more than ${MAX_DEPTH} deep`);
    const first = this.#text[this.at];
    if (first === '"' || first === "'") {
      if (this.#text.startsWith(first.repeat(3), this.at)) this.#multiline(first.repeat(3));
      else this.quoted();
    } else if (first === "[") this.#array(depth);
    else if (first === "{") this.#inlineTable(path, depth);
    else {
      const word = /[^\s,\]}#]*(?: \d[^\s,\]}#]*)?/y;
      word.lastIndex = this.at;
      this.at += word.exec(this.#text)?.[0].length ?? 0;
    }
  }

  #array(depth: number): void {
    this.at += 1;
    for (;;) {
      this.skipBlank(true);
      if (this.#text[this.at] === "]") break;
      const before = this.at;
      // What an array holds is not to be edited key by key.
      const index = this.entries.length;
      this.#value([], depth + 1);
      this.entries.length = index;
      if (this.at === before) this.#fail("not a value");
      this.skipBlank(true);
      if (this.#text[this.at] === ",") this.at += 1;
      else if (this.#text[this.at] !== "]") this.#fail("no , or ] after a value");
    }
    this.at += 1;
  }

  #inlineTable(path: readonly string[], depth: number): void {
    this.at += 1;
    for (;;) {
      this.skipBlank(false);
      if (this.#text[this.at] === "}") break;
      this.#entry(path, true, depth + 1);
      this.skipBlank(false);
      if (this.#text[this.at] === ",") this.at += 1;
      else if (this.#text[this.at] !== "}") this.#fail("no , or } after a value");
    }
    this.at += 1;
  }

  #key(): string[] {
    const parts: string[] = [];
    for (;;) {
      this.skipBlank(false);
      const first = this.#text[this.at];
      if (first === '"' || first === "'") parts.push(this.quoted());
      else {
        const bare = /[A-Za-z0-9_-]+/y;
        bare.lastIndex = this.at;
        const word = bare.exec(this.#text)?.[0];
        if (word === undefined) this.#fail("not a key");
        parts.push(word);
        this.at += word.length;
      }
      this.skipBlank(false);
      if (this.#text[this.at] !== ".") return parts;
      this.at += 1;
    }
  }

  /** Read a string in quotes of one line. */
  quoted(): string {
    const start = this.at;
    const pattern = this.#text[start] === '"' ? /"(?:[^"\\\n]|\\.)*"/y : /'[^'\n]*'/y;
    pattern.lastIndex = start;
    const literal = pattern.exec(this.#text)?.[0];
    if (literal === undefined) this.#fail("a string without its end");
    this.at += literal.length;
    if (literal.startsWith("'")) return literal.slice(1, -1);
    const json = literal.replace(/\\U([0-9A-Fa-f]{8})/g, (_all, hex: string) => {
      const code = Number.parseInt(hex, 16);
      return code <= 0x10ffff ? JSON.stringify(String.fromCodePoint(code)).slice(1, -1) : "\\u";
    });
    try {
      return JSON.parse(json.replaceAll("\t", "\\t")) as string;
    } catch {
      this.at = start;
      this.#fail("a string with an escape that is none");
    }
  }

  #multiline(quotes: string): void {
    const isBasic = quotes.startsWith('"');
    let at = this.at + 3;
    for (;;) {
      if (at >= this.#text.length) this.#fail("a string without its end");
      if (isBasic && this.#text[at] === "\\") at += 2;
      else if (this.#text.startsWith(quotes, at)) break;
      else at += 1;
    }
    at += 3;
    // Up to two more quotes belong to the string.
    for (let more = 0; more < 2 && this.#text[at] === quotes[0]; more += 1) at += 1;
    this.at = at;
  }

  /** Skip spaces, and with `lines` also comments and line ends. */
  skipBlank(lines: boolean): void {
    const pattern = lines ? /(?:[ \t\r\n]|#[^\n]*)*/y : /[ \t]*/y;
    pattern.lastIndex = this.at;
    this.at += pattern.exec(this.#text)?.[0].length ?? 0;
  }

  #endOfLine(): void {
    const pattern = /[ \t]*(?:#[^\n]*)?(?:\r?\n|$)/y;
    pattern.lastIndex = this.at;
    const rest = pattern.exec(this.#text)?.[0];
    if (rest === undefined) this.#fail("more than one thing on a line");
    this.at += rest.length;
  }

  #expect(text: string): void {
    this.skipBlank(false);
    if (!this.#text.startsWith(text, this.at)) this.#fail(`no ${text} after the key`);
    this.at += text.length;
  }

  #fail(message: string): never {
    throw new TomlFault(message, this.at);
  }
}
