import type { SolveRequest } from "../buildkit/solve-request.ts";

/** Names by which calls find their group: a build's ref or a session's id. They are different name spaces. */
export function refToken(buildRef: string): string {
  return `ref:${buildRef}`;
}

/** See {@link refToken}. */
export function sessionToken(buildSession: string): string {
  return `session:${buildSession}`;
}

/** What ties calls to a Solve: its ref first, its session second, the sessions it draws on after them. */
export function solveTokens({ buildRef, buildSession, inputSessions }: SolveRequest): string[] {
  const sessions = [buildSession, ...inputSessions].filter((session) => session !== "");
  return [refToken(buildRef), ...sessions.map(sessionToken)];
}
