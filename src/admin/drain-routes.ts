import type { Cancel, Clock } from "../base/clock.ts";
import { formatDuration, parseDuration } from "../base/duration.ts";
import type { Replica } from "../replicas/replica.ts";
import { type AdminToken, authorizeChange } from "./admin-token.ts";
import { GoneReplicas } from "./gone-replicas.ts";
import { isKnownIdle, whenIdle } from "./idle-wait.ts";
import { readQuery } from "./query.ts";
import { type AdminRequest, type AdminRoutes, RequestFault, respondJson } from "./routes.ts";

/** The part of a fleet that draining is about. */
export interface DrainFleet {
  replicas(): readonly Replica[];
  replica(id: string): Replica | undefined;
  /** Hear of every change of a replica's state. */
  onChange(listener: (replica: Replica) => void): Cancel;
  /** Hear when the number of builds on a replica may have changed. */
  onLoad(listener: () => void): Cancel;
  /** Give it no new build; false where there is no such replica. */
  drain(id: string): boolean;
  /** Undo an operator's drain; false where there is no such replica. */
  undrain(id: string): boolean;
}

/** A pool whose replicas can be drained. */
export interface DrainPool {
  readonly name: string;
  readonly fleet: DrainFleet;
  /** Whether no client needs the replica any more: after a build ends, its client still asks for what was built. */
  isSettled(replicaId: string): boolean;
}

/** Who may drain, and how time passes. */
export interface DrainOptions {
  readonly clock: Clock;
  /** Absent: only who comes over a unix socket. */
  readonly token: AdminToken | undefined;
}

/** Longest wait for a replica to become idle. */
const MAX_WAIT_MS = 86_400_000;

/** Requests that may wait at once; each holds one of the port's connections. */
const MAX_WAITING = 64;

/** What is said of a replica. */
export interface DrainAnswer {
  readonly pool: string;
  readonly replica: string;
  readonly state: Replica["state"]["t"];
  /** Why it is ejected or draining. */
  readonly reason?: string;
  /** Builds that run on it, as far as it is known. */
  readonly running: number;
  /** Why it is not known whether it runs more. */
  readonly unknown?: string;
  /** It gets no new build, runs none, and no client uses it: it may be stopped. */
  readonly isDrained: boolean;
}

/**
 * `GET /drain` lists the replicas. `GET /drain/<replica>?wait=1h` answers when
 * one is idle (200) or the time is up (408), and changes nothing. `POST` gives it
 * no new build, `DELETE` undoes that; both need the token or the unix socket.
 */
export function drainRoutes(pools: readonly DrainPool[], { clock, token }: DrainOptions): AdminRoutes {
  const gone = new Map(pools.map((pool) => [pool, new GoneReplicas(pool.fleet)]));
  let waiting = 0;

  const findPool = (id: string, poolName: string | undefined): DrainPool => {
    const owners = choosePools(pools, poolName).filter((pool) => pool.fleet.replica(id) || gone.get(pool)!.has(id));
    if (owners.length > 1) {
      const names = owners.map(({ name }) => name).join(", ");
      throw new RequestFault(409, `in several pools: ${names} (name one of them: pool)`);
    }
    if (!owners[0]) throw new RequestFault(404, "no such replica");
    return owners[0];
  };

  const wait = async (pool: DrainPool, id: string, waitMs: number, signal: AbortSignal): Promise<boolean> => {
    const idle = (ms: number) => whenIdle(pool.fleet, id, ms, { clock, signal, isSettled: () => pool.isSettled(id) });
    if (waitMs > 0 && waiting >= MAX_WAITING) {
      // Who need not wait is told so whoever else does: the preStop hook of an idle replica.
      if (await idle(0)) return true;
      throw new RequestFault(503, `${MAX_WAITING} requests wait already`);
    }
    waiting++;
    try {
      return await idle(waitMs);
    } finally {
      waiting--;
    }
  };

  return {
    "/drain": {
      methods: ["GET", "HEAD"],
      handle: ({ query }, response) => {
        const chosen = choosePools(pools, readQuery(query, ["pool"]).pool);
        const replicas = chosen.flatMap((pool) =>
          pool.fleet.replicas().map((replica) => answerOf(pool, replica.id, replica)),
        );
        respondJson(response, 200, { replicas });
      },
    },
    "/drain/<replica>": {
      methods: ["GET", "POST", "DELETE"],
      handle: async (request, response) => {
        const { rest: id, method } = request;
        const { pool: poolName, waitMs } = readRequest(request);
        if (method !== "GET") await authorizeChange(request, token);
        const pool = findPool(id, poolName);
        const answer = () => answerOf(pool, id, pool.fleet.replica(id));
        if (method === "GET") {
          const isIdle = await wait(pool, id, waitMs, request.signal);
          if (request.signal.aborted) return;
          if (isIdle) respondJson(response, 200, answer());
          else respondJson(response, 408, { ...answer(), error: describeBusy(answer(), waitMs) });
          return;
        }
        const isKnown = method === "POST" ? pool.fleet.drain(id) : pool.fleet.undrain(id);
        if (!isKnown) throw new RequestFault(404, "no such replica");
        respondJson(response, 200, answer());
      },
    },
  };
}

function choosePools(pools: readonly DrainPool[], name: string | undefined): readonly DrainPool[] {
  const chosen = name === undefined ? pools : pools.filter((pool) => pool.name === name);
  if (chosen.length > 0) return chosen;
  throw new RequestFault(404, `no such pool; there are: ${pools.map((pool) => pool.name).join(", ")}`);
}

function readRequest({ query, method }: AdminRequest): { pool: string | undefined; waitMs: number } {
  const { pool, wait } = readQuery(query, ["pool", ...(method === "GET" ? (["wait"] as const) : [])]);
  return { pool, waitMs: wait === undefined ? 0 : readWait(wait) };
}

/** A `wait` as a request gives it, in milliseconds. Throws a {@link RequestFault}. */
export function readWait(text: string): number {
  let waitMs: number;
  try {
    waitMs = parseDuration(text);
  } catch (reason) {
    throw new RequestFault(400, `wait: ${(reason as Error).message}`);
  }
  if (waitMs > MAX_WAIT_MS) throw new RequestFault(400, `wait: too long (at most ${formatDuration(MAX_WAIT_MS)})`);
  return waitMs;
}

/** A replica that is not there any more is gone, and runs nothing. */
function answerOf(pool: DrainPool, id: string, replica: Replica | undefined): DrainAnswer {
  const state = replica?.state ?? { t: "gone" };
  const isOut = state.t === "draining" || state.t === "gone" || replica?.isDrainedByOperator === true;
  return {
    pool: pool.name,
    replica: id,
    state: state.t,
    ...("reason" in state && { reason: state.reason }),
    running: replica?.runningBuilds ?? 0,
    ...(replica?.loadUnknown !== undefined && { unknown: replica.loadUnknown }),
    isDrained: isOut && isKnownIdle(replica) && pool.isSettled(id),
  };
}

function describeBusy(answer: DrainAnswer, waitMs: number): string {
  return `${busyReason(answer)}${waitMs > 0 ? ` after ${formatDuration(waitMs)}` : ""}`;
}

function busyReason({ replica, running, unknown }: DrainAnswer): string {
  if (running > 0) return `${running === 1 ? "1 build still runs" : `${running} builds still run`} on ${replica}`;
  if (unknown !== undefined) return `builds not known: ${unknown}`;
  return `clients still use ${replica}`;
}
