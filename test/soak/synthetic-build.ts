import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  BRIDGE_PING,
  BRIDGE_RETURN,
  SESSION,
  SOLVE,
  STATUS,
  solveMessage,
  statusMessage,
} from "../support/build-calls.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import type { RanBuild } from "./build-books.ts";
import type { Course } from "./course.ts";
import { endOf, reset, SyntheticConnection, type SyntheticTarget } from "./synthetic-connection.ts";

/** How a synthetic build is to end, and how often. */
const FATES = {
  /** Its frontend returns an empty result. */
  returned: 40,
  /** Its frontend returns an error. */
  failed: 15,
  /** Solve is reset, as Ctrl-C does. */
  reset: 20,
  /** The connection is dropped. */
  dropped: 15,
  /** Its Solve never ends: it is dropped in the middle. */
  unfinished: 10,
};

/** Time that a build may take, in a queue and on a replica. */
const PATIENCE_MS = 60_000;

/** `ReturnRequest` (moby/buildkit frontend/gateway/pb/gateway.proto): `result` = 1, `error` = 2 with `code` = 1 and `message` = 2. */
const EMPTY_RESULT = grpcMessage(Buffer.of(0x0a, 0));
const ERROR_RESULT = grpcMessage(Buffer.concat([Buffer.of(0x12, 8, 0x08, 2, 0x12, 4), Buffer.from("soak")]));

/** How many repositories synthetic builds are of. */
const REPOSITORIES = 12;

/**
 * A build without any work, made of the calls that a client makes: a Solve
 * without a frontend runs until a call of its frontend's returns.
 */
export async function runSyntheticBuild(course: Course, target: SyntheticTarget): Promise<RanBuild | undefined> {
  const connection = await SyntheticConnection.open(target, course.chance(0.3));
  const fate = course.pick(FATES);
  const [ref, buildSession] = [randomUUID(), randomUUID()];
  const repository = Math.floor(course.between(0, REPOSITORIES));
  const attrs = { "vcs:source": `https://git.invalid/soak/synthetic-${repository}.git` };
  const solveBody = solveMessage({ ref, buildSession, attrs });
  const fromMs = Date.now();
  const build = { client: `synthetic build ${ref}, ${fate}`, refs: [ref], fromMs };
  try {
    const calls = [
      () => connection.call({ path: STATUS, body: statusMessage(ref) }),
      () => connection.call({ path: SESSION, fields: sessionFields(buildSession), isOpen: true }),
    ];
    for (const begin of course.shuffled(calls)) if (course.chance(0.8)) void endOf(begin());
    if (fate === "unfinished") {
      connection.call({ path: SOLVE, body: solveBody.subarray(0, solveBody.length / 2), isOpen: true });
      await course.pause(100, 4_000);
      return undefined;
    }
    const solve = connection.call({ path: SOLVE, body: solveBody });
    const ended = endOf(solve);
    const bridge = { "buildkit-controlapi-buildid": ref };
    const pinged = connection.ask({ path: BRIDGE_PING, body: grpcMessage(new Uint8Array()), fields: bridge });
    await Promise.race([course.pause(50, 2_500), ended]);
    if (fate === "reset" || fate === "dropped") {
      if (fate === "reset") reset(solve);
      else await connection.close("at once");
      await ended;
      return { ...build, toMs: Date.now(), wish: "to leave it", told: "nothing", message: "" };
    }
    const patience = delay(PATIENCE_MS, undefined, { ref: false });
    await Promise.race([pinged, patience]);
    const body = fate === "failed" ? ERROR_RESULT : EMPTY_RESULT;
    void connection.ask({ path: BRIDGE_RETURN, body, fields: bridge });
    const end = await Promise.race([ended, patience]);
    return {
      ...build,
      toMs: Date.now(),
      wish: fate === "failed" ? "failure" : "success",
      told: end === undefined ? "nothing" : end.status === 0 ? "success" : "failure",
      message: end === undefined ? "no end" : end.message,
    };
  } finally {
    await connection.close(course.chance(0.5) ? "politely" : "at once");
  }
}

function sessionFields(buildSession: string): Record<string, string | string[]> {
  return {
    "x-docker-expose-session-uuid": buildSession,
    "x-docker-expose-session-sharedkey": "soak",
    "x-docker-expose-session-grpc-method": [
      "/moby.filesync.v1.FileSync/DiffCopy",
      "/moby.filesync.v1.Auth/Credentials",
    ],
  };
}
