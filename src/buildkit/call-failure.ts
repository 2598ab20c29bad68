import { type ServiceError, status } from "@grpc/grpc-js";
import { printable } from "../base/printable.ts";

/** Longest reason that is handed on: a peer may send a novel. */
const MAX_CHARACTERS = 300;

/** What grpc-js says of a peer that is no gRPC server, in plainer words. Nothing depends on them. */
const PLAIN_WORDS: Readonly<Record<string, string>> = {
  "Protocol error": "it does not speak HTTP/2",
  "Failed to connect": "it closes the connection before it speaks HTTP/2",
};

/**
 * Why a call of ours failed, for people: `connect ECONNREFUSED 10.0.0.7:1234`.
 * `timeoutMs` is the deadline that the call had.
 */
export function failureText(error: Error, timeoutMs: number): string {
  const { code, details } = error as ServiceError;
  if (code === status.DEADLINE_EXCEEDED) return `no answer in ${timeoutMs} ms`;
  if (details === undefined) return printable(error.message, MAX_CHARACTERS);
  // What grpc-js wraps around the reason: "No connection established. Last error: Error: … (time). Resolution note: ".
  const [, reason] = /Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*\))?\. Resolution note:/s.exec(details) ?? [];
  return PLAIN_WORDS[reason ?? ""] ?? printable(reason ?? (details || error.message), MAX_CHARACTERS);
}
