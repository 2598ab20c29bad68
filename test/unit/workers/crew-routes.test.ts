import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { type AdminRoute, type AdminRoutes, respondText } from "../../../src/admin/routes.ts";
import { CrewAnswers } from "../../../src/workers/crew-answers.ts";
import { crewRoutes } from "../../../src/workers/crew-routes.ts";
import { CrewStatusReader } from "../../../src/workers/crew-status.ts";
import { CrewTotals } from "../../../src/workers/crew-totals.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { fakeWorkers } from "./fake-workers.ts";

const METRIC = "# HELP bkgw_builds_total Builds.\n# TYPE bkgw_builds_total counter\nbkgw_builds_total";

/** A worker that says these texts, by path. */
function worker(texts: Readonly<Record<string, readonly [status: number, text: string]>>): AdminRoutes {
  return Object.fromEntries(
    Object.entries(texts).map(([path, [status, said]]): [string, AdminRoute] => [
      path,
      { methods: ["GET", "HEAD"], handle: (_request, response) => respondText(response, status, said) },
    ]),
  );
}

async function serve(answers: CrewAnswers) {
  const levels: string[] = [];
  const totals = new CrewTotals();
  const facts = { startedAt: new Date(0), refused: () => 0, overLimit: () => 0, workers: () => [] };
  const { send } = await serveJson(
    crewRoutes({
      clock: new FakeClock(),
      answers,
      status: new CrewStatusReader(answers, facts),
      totals,
      ownMetrics: async () => "# HELP bkgw_workers W.\n# TYPE bkgw_workers gauge\nbkgw_workers 2\n",
      metricsType: "text/plain",
      log: { level: () => levels.at(-1) ?? "info", setLevel: (level) => levels.push(level) },
      token: undefined,
      showsReplicas: true,
    }),
  );
  const ask = async (path: string) => {
    const [response] = (await once(send(path), "response")) as [IncomingMessage];
    return { status: response.statusCode, text: (await text(response)).trimEnd() };
  };
  return { ask, totals };
}

describe("/readyz", () => {
  test.each([
    [[200, "ready"], [200, "ready"], 200, "ready"],
    [[200, "ready"], [503, "draining"], 503, "worker 2: draining"],
    [[503, "draining"], [503, "draining"], 503, "draining"],
    [[200, "builds wait"], [200, "ready"], 200, "worker 1: builds wait; worker 2: ready"],
  ] as const)("of workers that say %j and %j is %d: %s", async (one, other, status, said) => {
    const { ask } = await serve(await fakeWorkers(worker({ "/readyz": one }), worker({ "/readyz": other })));
    expect(await ask("/readyz")).toEqual({ status, text: said });
  });
});

test.each(["/healthz", "/readyz", "/metrics", "/status", "/load", "/debug/health", "/events", "/drain"])(
  "%s is 503 where a worker does not answer, and names it",
  async (path) => {
    const ok = worker({ [path]: [200, "{}"] });
    const { ask } = await serve(await fakeWorkers(ok, null));
    expect(await ask(path)).toMatchObject({ status: 503, text: expect.stringContaining("worker 2 does not answer: ") });
  },
);

test.each(["/healthz", "/explain"])("%s is 503 where no worker lives", async (path) => {
  const { ask } = await serve(new CrewAnswers(() => []));
  expect(await ask(path)).toEqual({ status: 503, text: '{"error":"no worker serves"}' });
});

test("/metrics are those of all workers and of the parent, and of those that have ended", async () => {
  const one = worker({ "/metrics": [200, `${METRIC} 3`] });
  const other = worker({ "/metrics": [200, `${METRIC} 4`] });
  const { ask, totals } = await serve(await fakeWorkers(one, other));
  const lines = (await ask("/metrics")).text.split("\n");
  expect(lines).toEqual(expect.arrayContaining(["bkgw_builds_total 7", "bkgw_workers 2"]));
  totals.ended(2);
  totals.ended(1);
  expect((await ask("/metrics")).text).toMatch(/^bkgw_builds_total 14$/m);
});

test("/metrics?replicas=1 has the replicas' own once", async () => {
  const theirs = "# HELP bkgw_replica_scrape_up Up.\n# TYPE bkgw_replica_scrape_up gauge\nbkgw_replica_scrape_up 1";
  const handle: AdminRoute["handle"] = ({ query }, response) =>
    respondText(response, 200, `${METRIC} 3\n${query.has("replicas") ? `${theirs}\nbuildkit 1` : ""}`);
  const one: AdminRoutes = { "/metrics": { methods: ["GET"], handle } };
  const { ask } = await serve(await fakeWorkers(one, one));
  const { text } = await ask("/metrics?replicas=1");
  expect(text.match(/^buildkit 1$/gm)).toHaveLength(1);
  expect(text).toMatch(/^bkgw_builds_total 6$/m);
});

test("what all workers know is asked of one, with its query, and passed on as it is", async () => {
  const explain: AdminRoutes = {
    "/explain": {
      methods: ["GET"],
      handle: ({ message }, response) => respondText(response, 404, message.url!, { "content-type": "text/x-test" }),
    },
  };
  const { ask } = await serve(await fakeWorkers(explain, null));
  expect(await ask("/explain?key=a%20b")).toEqual({ status: 404, text: "/explain?key=a%20b" });
});
