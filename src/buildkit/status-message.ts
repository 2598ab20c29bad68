import { controlRpcs } from "./wire-contracts.ts";

/** A step of a build, as its user sees it. */
export interface ShownVertex {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly name: string;
  readonly startedAt: Date;
  /** Absent while it goes on. */
  readonly completedAt?: Date;
  /** Why it failed; absent or empty where it has not. */
  readonly error?: string;
}

/** One line that a step printed. */
export interface ShownLine {
  readonly text: string;
  readonly at: Date;
}

/** The bytes of a `moby.buildkit.v1.StatusResponse` with one step as it is now, and what it printed since. */
export function statusMessage(vertex: ShownVertex, line: ShownLine | undefined): Buffer {
  const { digest, name, startedAt, completedAt, error } = vertex;
  return controlRpcs.Status.responseSerialize({
    vertexes: [
      {
        digest,
        name,
        started: timestamp(startedAt),
        ...(completedAt && { completed: timestamp(completedAt) }),
        ...(error && { error }),
      },
    ],
    logs: line ? [logOf(digest, line)] : [],
  });
}

/** The bytes of a `StatusResponse` with one more line of a step. */
export function lineMessage(vertexDigest: string, line: ShownLine): Buffer {
  return controlRpcs.Status.responseSerialize({ vertexes: [], logs: [logOf(vertexDigest, line)] });
}

/** Standard output, as a build's own steps have it. */
const STDOUT = 1;

function logOf(vertex: string, { text, at }: ShownLine) {
  return { vertex, timestamp: timestamp(at), stream: STDOUT, msg: Buffer.from(`${text}\n`) };
}

function timestamp(time: Date) {
  const ms = time.getTime();
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: (ms - seconds * 1_000) * 1_000_000 };
}
