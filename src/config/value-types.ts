import { z } from "zod";
import { formatBytes, parseBytes } from "../base/bytes.ts";
import { formatDuration, parseDuration } from "../base/duration.ts";

/** What the reference says about a kind of value. */
export interface ValueType {
  /** How to write it, or one item of a list, for people: `duration`, `off, optional or required`. */
  readonly label: string;
  /** A parsed value in the form that a configuration is written in. */
  readonly write: (value: unknown) => string;
  /** Takes several values: a repeatable flag, a comma-separated variable, a YAML list. */
  readonly isList: boolean;
}

/** The kind of every leaf of the schema. Each leaf registers itself; whoever walks the schema stops there. */
export const valueTypes = z.registry<ValueType>();

/** Inclusive bounds of a number, in the unit of the value that has them. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/**
 * A leaf that is read by a function: text from a flag or a variable, anything from a file.
 *
 * `read` throws an Error whose message is what the operator reads after the setting's path.
 */
export function value<T>(label: string, read: (input: unknown) => T, write: (value: T) => string = String) {
  const schema = z.unknown().transform((input, context): T => {
    try {
      if (input === undefined || input === null) throw new Error(`no value given (${label})`);
      return read(input);
    } catch (reason) {
      context.issues.push({ code: "custom", message: (reason as Error).message, input });
      return z.NEVER;
    }
  });
  return schema.register(valueTypes, { label, write: (parsed) => write(parsed as T), isList: false });
}

/** The input as an operator typed it, for a message. */
export function quote(input: unknown): string {
  return JSON.stringify(typeof input === "number" ? String(input) : input);
}

/** A duration such as `30s`, parsed to milliseconds. */
export function duration(boundsMs: Bounds = {}) {
  return value("duration", readText("duration", parseDuration, formatDuration, boundsMs), formatDuration);
}

/** A size such as `64MiB`, parsed to bytes. */
export function bytes(boundsBytes: Bounds = {}) {
  return value("size", readText("size", parseBytes, formatBytes, boundsBytes), formatBytes);
}

/** A whole number, not below 0. */
export function count({ min = 0, ...rest }: Bounds = {}) {
  return value("number", (input) => {
    const isWritten = typeof input === "string" && /^\d{1,15}$/.test(input);
    const parsed = isWritten ? Number(input) : input;
    if (!Number.isSafeInteger(parsed)) throw new Error(`not a whole number: ${quote(input)}`);
    return inBounds(parsed as number, String, { min, ...rest });
  });
}

/** A number that may have a fraction. */
export function fraction(bounds: Bounds = {}) {
  return value("number", (input) => {
    const isWritten = typeof input === "string" && /^\d{1,15}(\.\d{1,15})?$/.test(input);
    const parsed = isWritten ? Number(input) : input;
    if (!Number.isFinite(parsed)) throw new Error(`not a number: ${quote(input)}`);
    return inBounds(parsed as number, String, bounds);
  });
}

/** `true` or `false`. */
export function flag() {
  return value("true or false", (input) => {
    if (input === true || input === "true") return true;
    if (input === false || input === "false") return false;
    throw new Error(`not true or false: ${quote(input)}`);
  });
}

/** One of a closed set of words. */
export function choice<const T extends string>(words: readonly T[]) {
  const label = `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
  return value(label, (input) => {
    const word = words.find((candidate) => candidate === input);
    if (word === undefined) throw new Error(`not one of ${words.join(", ")}: ${quote(input)}`);
    return word;
  });
}

/** A name or path without spaces, taken as it is. */
export function word(label: string) {
  return value(label, (input) => {
    if (typeof input !== "string" || !/^[^\s\0]{1,4096}$/.test(input))
      throw new Error(`not a ${label}: ${quote(input)}`);
    return input;
  });
}

function readText(
  noun: string,
  parse: (text: string) => number,
  format: (value: number) => string,
  bounds: Bounds,
): (input: unknown) => number {
  return (input) => {
    const isText = typeof input === "string" || typeof input === "number";
    if (!isText) throw new Error(`not a ${noun}: ${quote(input)}`);
    return inBounds(parse(String(input)), format, bounds);
  };
}

function inBounds(number: number, format: (value: number) => string, { min, max }: Bounds): number {
  if (min !== undefined && number < min) throw new Error(`too small: ${format(number)} (at least ${format(min)})`);
  if (max !== undefined && number > max) throw new Error(`too large: ${format(number)} (at most ${format(max)})`);
  return number;
}
