import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaultTable } from "../support/faults/fault-table.ts";
import { FAULTS, type Fault } from "../support/faults/faults.ts";
import { type Counts, Scene } from "../support/faults/scene.ts";
import { STAGES, type Stage } from "../support/faults/stages.ts";

/** Far more than any of it takes: a slow machine must not fail. The times themselves are in the table of `npm run faults`. */
const PATIENCE_MS = 20_000;

const table = new FaultTable();

/** Sockets and servers that keep this process alive, and so everything that the gateways and replicas in it have open. */
const openSockets = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe)\w*Wrap$/.test(name)).length;

let socketsBefore = 0;

beforeAll(() => {
  socketsBefore = openSockets();
});

afterAll(() => {
  // Whoever wants the figures asks for one cell at a time.
  if (process.env.FAULTS_TABLE !== undefined) console.log(table.toMarkdown());
});

/** One cell: bring a build to a stage, break something, and see what is seen, what is left and how the neighbour fares. */
async function play(stage: Stage, fault: Fault): Promise<void> {
  const scene = await Scene.start(fault.settings ?? {}, fault.isRelayed === true);
  await stage.reach(scene);
  const struckMs = performance.now();
  const seen = await fault.strike(scene, stage);
  const answerMs = performance.now() - struckMs;
  const shown = fault.shows(stage);
  if (typeof shown === "string") expect(seen, stage.name).toBe(shown);
  else expect(seen, stage.name).toMatch(shown);
  const isStopped = fault.name.startsWith("gateway");
  if (!isStopped) await scene.neighbourGoesOn();
  if (!isStopped) await scene.client.destroy();
  const left = () => (isStopped ? scene.countsWhenStopped() : scene.counts());
  const allowed = isStopped ? NOTHING : scene.before;
  await expect.poll(async () => excess(await left(), allowed), { timeout: PATIENCE_MS, interval: 20 }).toEqual({});
  table.add(stage.name, fault.name, seen, answerMs, performance.now() - struckMs);
}

const NOTHING: Counts = { clients: 0, calls: 0, queued: 0, runningBuilds: 0, replicaSockets: 0, timers: 0 };

/** What there is more of than allowed. */
function excess(counts: Counts, allowed: Counts): Partial<Record<keyof Counts, number>> {
  const names = Object.keys(counts) as (keyof Counts)[];
  return Object.fromEntries(names.filter((name) => counts[name] > allowed[name]).map((name) => [name, counts[name]]));
}

describe("at every stage of a build", () => {
  test.each(FAULTS.map((fault) => [fault.name, fault] as const))(
    "%s: a clear answer, nothing left, no neighbour disturbed",
    async (_name, fault) => {
      if (process.env.FAULTS_TABLE === undefined) await Promise.all(STAGES.map((stage) => play(stage, fault)));
      else for (const stage of STAGES) await play(stage, fault);
    },
  );
});

test("no socket of all these gateways and replicas is left in this process", async () => {
  await expect.poll(openSockets, { timeout: PATIENCE_MS }).toBeLessThanOrEqual(socketsBefore);
});
