import { createHash } from "node:crypto";
import type { SolveRequest } from "../buildkit/solve-request.ts";

/** Longest name that is kept as it is. Real ones have 25 characters; a client may send megabytes. */
const MAX_NAME_CHARACTERS = 128;

/** Names by which calls find their group: a build's ref or a session's id. They are different name spaces. */
export function refToken(buildRef: string): string {
  return `ref:${short(buildRef)}`;
}

/** See {@link refToken}. */
export function sessionToken(buildSession: string): string {
  return `session:${short(buildSession)}`;
}

/** What ties calls to a Solve: its ref, its session, and the sessions it draws on. */
export function solveTokens(solve: SolveRequest): string[] {
  return [...ownTokens(solve), ...solve.inputSessions.map(sessionToken)];
}

/** What a Solve has for itself: its ref and its session, but no session that it shares with others. */
export function ownTokens({ buildRef, buildSession }: SolveRequest): string[] {
  return buildSession === "" ? [refToken(buildRef)] : [refToken(buildRef), sessionToken(buildSession)];
}

function short(name: string): string {
  return name.length <= MAX_NAME_CHARACTERS ? name : `sha256-${createHash("sha256").update(name).digest("hex")}`;
}
