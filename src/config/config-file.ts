import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
} from "yaml";
import { errorText } from "../base/system-error.ts";
import type { Problem } from "./problem.ts";

/** Largest configuration file that is read. */
export const MAX_CONFIG_FILE_BYTES = 2 ** 20;

/** Deepest nesting that is parsed; the parser recurses, and V8 aborts the process when a stack is nearly used up. */
const MAX_DEPTH = 50;

/**
 * Most words, marks and line ends that are parsed, of which a setting has about five. The parser's time grows by their
 * square where keys are many, and it finds a fault in each of them.
 */
const MAX_LEXEMES = 50_000;

/** Reads a file of at most `maxBytes`, or throws an Error that says why not. */
export type ReadFile = (path: string, maxBytes: number) => Buffer;

/** What a configuration file says, and where it says it. */
export interface ConfigFile {
  /** The file's map; empty when there is no file or it could not be used. */
  readonly tree: Record<string, unknown>;
  /** `file:line` of a value, or of the nearest thing around it; undefined for what the file does not mention. */
  readonly locate: (path: readonly PropertyKey[]) => string | undefined;
  readonly problems: readonly Problem[];
}

/** What no file says. */
export const NO_CONFIG_FILE: ConfigFile = { tree: {}, locate: () => undefined, problems: [] };

/** Read a YAML file. Never throws: what is wrong with it is in `problems`. `origin` is what named the file. */
export function readConfigFile(path: string, origin: string, readFile: ReadFile): ConfigFile {
  try {
    const content = readFile(path, MAX_CONFIG_FILE_BYTES);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    checkStructure(text);
    return parseConfigText(path, text);
  } catch (reason) {
    return { ...NO_CONFIG_FILE, problems: [{ subject: path, origin, message: describeFailure(reason) }] };
  }
}

function parseConfigText(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map((fault) => ({ subject: at(fault.pos[0]), message: describeFault(fault) }));
    return { ...NO_CONFIG_FILE, problems };
  }
  const tree: unknown = document.toJS();
  if (tree === null) return NO_CONFIG_FILE;
  if (!isMap(document.contents)) throw new Error("not a map of settings");
  const locate = (keys: readonly PropertyKey[]) => {
    const offset = offsetOf(document, keys);
    return offset === undefined ? undefined : at(offset);
  };
  return { tree: tree as Record<string, unknown>, locate, problems: [] };
}

/** Throws where a text would take the parser too deep or too long. */
function checkStructure(text: string): void {
  const parser = new Parser();
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MAX_LEXEMES) throw new Error(`more than ${MAX_LEXEMES} words, marks and line ends`);
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) throw new Error("nested too deeply");
  }
}

/** Where in the text the longest known part of a path begins; undefined when not even its first key is there. */
function offsetOf(document: Document, keys: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of keys) {
    if (isAlias(node)) node = node.resolve(document);
    let place: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      place = pair?.key;
      node = pair?.value;
    } else if (isSeq(node)) {
      place = node.items[Number(key)];
      node = place;
    }
    const range = (place as Node | undefined)?.range;
    if (!range) return offset;
    offset = range[0];
  }
  return offset;
}

function describeFault({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === "NON_STRING_KEY") return "a key that is not text";
  if (code === "MULTIPLE_DOCS") return "more than one document";
  return message.replace(/^./, (letter) => letter.toLowerCase());
}

function describeFailure(reason: unknown): string {
  const isEncoding =
    reason instanceof TypeError && "code" in reason && reason.code === "ERR_ENCODING_INVALID_ENCODED_DATA";
  if (isEncoding) return "not UTF-8 text";
  return errorText(reason).replace(/^./, (letter) => letter.toLowerCase());
}
