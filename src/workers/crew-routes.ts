import type { AdminToken } from "../admin/admin-token.ts";
import { dashboardRoutes } from "../admin/dashboard-route.ts";
import { StatusEvents } from "../admin/events-route.ts";
import type { HealthAnswer } from "../admin/health-route.ts";
import { loadAnswer } from "../admin/load-route.ts";
import { type AdjustableLog, logRoute } from "../admin/log-route.ts";
import { readQuery } from "../admin/query.ts";
import { FIRST_REPLICA_METRIC } from "../admin/replica-metrics.ts";
import { type AdminRoute, type AdminRoutes, respondJson, respondText } from "../admin/routes.ts";
import type { Clock } from "../base/clock.ts";
import { type CrewAnswers, faultOf, targetOf } from "./crew-answers.ts";
import { crewDrainRoutes } from "./crew-drain-routes.ts";
import type { CrewStatusReader } from "./crew-status.ts";
import type { CrewTotals } from "./crew-totals.ts";
import { mergeHealth } from "./merge-health.ts";
import { mergeNotes } from "./merge-status.ts";
import { readMetrics, writeMetrics } from "./sum-metrics.ts";

/** What the admin port of several workers is made of. */
export interface CrewRoutesOptions {
  readonly clock: Clock;
  readonly answers: CrewAnswers;
  readonly status: CrewStatusReader;
  readonly totals: CrewTotals;
  /** The parent's own metrics, in Prometheus' text format. */
  readonly ownMetrics: () => Promise<string>;
  readonly metricsType: string;
  readonly log: AdjustableLog;
  /** Absent: only who comes over a unix socket may change something. */
  readonly token: AdminToken | undefined;
  /** The replicas' own pages are shown. */
  readonly showsReplicas: boolean;
}

const READ = ["GET", "HEAD"];

/** All that an admin port serves, for several workers as if they were one gateway. */
export function crewRoutes(options: CrewRoutesOptions): AdminRoutes {
  const { clock, answers, status, log, token, showsReplicas } = options;
  const passOn: AdminRoute = { methods: READ, handle: (request, response) => answers.passOn(request, response) };
  return {
    ...crewProbes(answers),
    ...crewMetricsRoutes(options),
    "/debug/health": {
      methods: READ,
      handle: async (request, response) => {
        const question = { target: targetOf(request), signal: request.signal };
        const [first, ...others] = await answers.askJson<HealthAnswer>(question, [200, 503]);
        const told = [first, ...others].map(({ worker, body }) => ({ worker, health: body }));
        const health = mergeHealth([told[0]!, ...told.slice(1)]);
        respondJson(response, health.status === "down" ? 503 : 200, health);
      },
    },
    "/load": {
      methods: READ,
      handle: async ({ query, signal }, response) => {
        readQuery(query, []);
        respondJson(response, 200, loadAnswer((await status.read(signal)).pools));
      },
    },
    "/status": {
      methods: READ,
      handle: async ({ query, signal }, response) => {
        readQuery(query, []);
        respondJson(response, 200, await status.read(signal));
      },
    },
    ...crewEvents(status, clock),
    ...dashboardRoutes(),
    ...crewDrainRoutes(answers, { clock, token }),
    "/explain": passOn,
    ...logRoute(log, token),
    ...(showsReplicas && { "/replicas/<name>": passOn }),
  };
}

/** Whether all workers serve, and whether all of them take builds. */
function crewProbes(answers: CrewAnswers): AdminRoutes {
  return {
    "/healthz": {
      methods: READ,
      handle: async ({ signal }, response) => {
        await answers.ask({ target: "/healthz", signal });
        respondText(response, 200, "ok");
      },
    },
    "/readyz": {
      methods: READ,
      handle: async ({ signal }, response) => {
        const told = await answers.ask({ target: "/readyz", signal });
        const unready = told.filter(({ status }) => status !== 200);
        const about = unready.length > 0 && unready.length < told.length ? unready : told;
        // One that is not ready is named, whatever the others say.
        const named = about === unready ? [...unready, { worker: 0, text: undefined }] : told;
        respondText(response, unready.length === 0 ? 200 : 503, mergeNotes(named) ?? "ready");
      },
    },
  };
}

function crewMetricsRoutes({ answers, totals, ownMetrics, metricsType }: CrewRoutesOptions): AdminRoutes {
  const route: AdminRoute = {
    methods: READ,
    handle: async ({ query, signal }, response) => {
      const { replicas } = readQuery(query, ["replicas"]);
      const [told, own] = await Promise.all([answers.ask({ target: "/metrics", signal }), ownMetrics()]);
      for (const answer of told) {
        if (answer.status !== 200) throw faultOf(answer);
        if (answers.isLiving(answer)) totals.told(answer.life, answer.text);
      }
      const sum = writeMetrics(totals.sum([readMetrics(own)]));
      const theirs = replicas === undefined ? "" : await replicaMetrics(answers, replicas, signal);
      respondText(response, 200, `${sum.trimEnd()}\n${theirs}`.trimEnd(), { "content-type": metricsType });
    },
  };
  return { "/metrics": route, "/debug/metrics": route };
}

/** What the replicas themselves tell is the same whichever worker asks them. */
async function replicaMetrics(answers: CrewAnswers, replicas: string, signal: AbortSignal): Promise<string> {
  const answer = await answers.askAny({ target: `/metrics?${new URLSearchParams({ replicas })}`, signal });
  if (answer.status !== 200) throw faultOf(answer);
  const start = answer.text.indexOf(`# HELP ${FIRST_REPLICA_METRIC} `);
  return start === -1 ? "" : answer.text.slice(start);
}

/** As one gateway's, of all: what is told was true a second ago. */
function crewEvents(status: CrewStatusReader, clock: Clock): AdminRoutes {
  const routes = new StatusEvents(() => status.latest(), clock).routes();
  return Object.fromEntries(
    Object.entries(routes).map(([path, route]) => [
      path,
      {
        methods: route.methods,
        handle: async (request, response) => {
          await status.read(request.signal);
          await route.handle(request, response);
        },
      } satisfies AdminRoute,
    ]),
  );
}
