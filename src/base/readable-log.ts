import type { DestinationStream } from "pino";
import { printable } from "./printable.ts";

/** How it is written. */
export interface ReadableLogOptions {
  /** Takes text that ends with a line's end. */
  readonly write: (text: string) => void;
  readonly hasColours: boolean;
}

/** Longest value of a field that is shown. */
const MAX_CHARACTERS = 4_096;

/** pino's numbers (getpino.io, "logger.levels"), with ANSI SGR: grey, cyan, green, yellow, red, red (ECMA-48 section 8.3.117). */
const LEVELS: Readonly<Record<number, readonly [name: string, colour: number]>> = {
  10: ["TRACE", 90],
  20: ["DEBUG", 36],
  30: ["INFO ", 32],
  40: ["WARN ", 33],
  50: ["ERROR", 31],
  60: ["FATAL", 31],
};

/**
 * Takes a log's JSON lines and writes them for people at a terminal: the time of
 * day, the level, what happened, and the fields; an error's stack on lines of its
 * own. Nothing that a client has named is acted on by the terminal.
 */
export function readableLog({ write, hasColours }: ReadableLogOptions): DestinationStream {
  return { write: (line: string) => write(describeLine(line, hasColours)) };
}

function describeLine(line: string, hasColours: boolean): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const [name, colour] = LEVELS[Number(level)] ?? [String(level), 0];
  const head = `${String(time).slice(11, 23)} ${hasColours ? `\u001b[${colour}m${name}\u001b[0m` : name} ${show(msg)}`;
  const shown = Object.entries(fields).map(([key, value]) => `${key}=${quote(isError(value) ? value.message : value)}`);
  const stacks = Object.values(fields).flatMap((value) => (isError(value) ? stackLines(value.stack) : []));
  return [[head, ...shown].join(" "), ...stacks].map((text) => `${text}\n`).join("");
}

/** An error as pino writes it. */
function isError(value: unknown): value is { readonly message: string; readonly stack: string } {
  const { message, stack } = (value ?? {}) as Record<string, unknown>;
  return typeof message === "string" && typeof stack === "string";
}

/** Its first line is the message, which may have several. */
function stackLines(stack: string): string[] {
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .map((line) => `    ${show(line.trim())}`);
}

/** A value that needs no quotes stands without. */
function quote(value: unknown): string {
  const isPlain = typeof value === "string" && /^[^\s"=]+$/.test(value);
  return show(isPlain ? value : JSON.stringify(value));
}

function show(text: unknown): string {
  return printable(String(text), MAX_CHARACTERS);
}
