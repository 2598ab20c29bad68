import { type AdminToken, authorizeChange } from "../admin/admin-token.ts";
import { type DrainAnswer, readWait } from "../admin/drain-routes.ts";
import { readQuery } from "../admin/query.ts";
import { type AdminRoutes, respondJson } from "../admin/routes.ts";
import type { Clock } from "../base/clock.ts";
import { type CrewAnswers, faultOf, type JsonAnswer, targetOf } from "./crew-answers.ts";
import { byId, leastWell } from "./least-well.ts";

/** Who may drain, and how time passes. */
export interface CrewDrainOptions {
  readonly clock: Clock;
  /** Absent: only who comes over a unix socket. */
  readonly token: AdminToken | undefined;
}

type Answer = DrainAnswer & { readonly error?: string };

/** What a worker has to answer in beside the wait itself. */
const MARGIN_MS = 5_000;

/** As `drainRoutes` of the workers, of all of them together: a replica is idle when all say so. */
export function crewDrainRoutes(crew: CrewAnswers, { clock, token }: CrewDrainOptions): AdminRoutes {
  /** What those say that know the replica: one that was started anew may not know one that has gone. */
  const askAll = async (target: string, method: string, waitMs: number, signal: AbortSignal) => {
    const answers = await crew.ask({ method, target, timeoutMs: waitMs + MARGIN_MS, signal });
    const known = answers.filter(({ status }) => status !== 404);
    if (known.length === 0) throw faultOf(answers[0]);
    return known.map((answer): JsonAnswer<Answer> => {
      if (answer.status !== 200 && answer.status !== 408) throw faultOf(answer);
      return { ...answer, body: JSON.parse(answer.text) as Answer };
    });
  };
  return {
    "/drain": {
      methods: ["GET", "HEAD"],
      handle: async (request, response) => {
        const told = await crew.askJson<{ replicas: DrainAnswer[] }>({
          target: targetOf(request),
          signal: request.signal,
        });
        const replicas = told.flatMap(({ body }) => body.replicas);
        const merged = byId(replicas, ({ pool, replica }) => `${pool}\n${replica}`).map(mergeAnswers);
        respondJson(response, 200, { replicas: merged });
      },
    },
    "/drain/<replica>": {
      methods: ["GET", "POST", "DELETE"],
      handle: async (request, response) => {
        const { method, rest, query, signal } = request;
        const { pool, wait } = readQuery(query, ["pool", ...(method === "GET" ? (["wait"] as const) : [])]);
        const waitMs = wait === undefined ? 0 : readWait(wait);
        if (method !== "GET") await authorizeChange(request, token);
        const endMs = clock.nowMs() + waitMs;
        for (let leftMs = waitMs; ; leftMs = Math.max(0, Math.ceil(endMs - clock.nowMs()))) {
          const told = await askAll(targetFor(rest, pool, leftMs), method, leftMs, signal);
          const busy = told.find(({ status }) => status !== 200);
          const answer = mergeAnswers(told.map(({ body }) => body));
          if (busy) {
            respondJson(response, busy.status, { ...answer, error: busy.body.error });
            return;
          }
          // Each was idle at a moment of its own: they are once more asked for now.
          if (leftMs === 0) {
            respondJson(response, 200, answer);
            return;
          }
          const now = await askAll(targetFor(rest, pool, 0), method, 0, signal);
          if (now.every(({ status }) => status === 200)) {
            respondJson(response, 200, mergeAnswers(now.map(({ body }) => body)));
            return;
          }
        }
      },
    },
  };
}

/** Of what several workers say of one replica: it is drained when all say so. */
function mergeAnswers(told: readonly DrainAnswer[]): DrainAnswer {
  const unknown = told.find((answer) => answer.unknown !== undefined)?.unknown;
  return {
    ...leastWell(told),
    running: Math.max(...told.map(({ running }) => running)),
    ...(unknown !== undefined && { unknown }),
    isDrained: told.every(({ isDrained }) => isDrained),
  };
}

function targetFor(replica: string, pool: string | undefined, waitMs: number): string {
  const query = new URLSearchParams({
    ...(pool !== undefined && { pool }),
    ...(waitMs > 0 && { wait: `${waitMs}ms` }),
  });
  return `/drain/${encodeURIComponent(replica)}${query.size > 0 ? `?${query}` : ""}`;
}
