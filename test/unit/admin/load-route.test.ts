import { expect, test } from "vitest";
import { loadRoute, type PoolLoad } from "../../../src/admin/load-route.ts";
import { serveJson } from "./admin-rig.ts";

/** What `/load` says of pools that have this to do. */
async function loadOf(pools: Record<string, PoolLoad>) {
  const { ask } = await serveJson(loadRoute(Object.entries(pools).map(([name, load]) => ({ name, load: () => load }))));
  return ask("/load");
}

const BUSY: PoolLoad = { queued: 3, running: 4, readyReplicas: 1, maxBuilds: 4 };

test("one pool is the whole, in the documented names", async () => {
  const load = { queued: 3, running: 4, capacity: 4, wanted: 2, readyReplicas: 1 };
  expect(await loadOf({ default: BUSY })).toEqual({ status: 200, body: { ...load, pools: { default: load } } });
});

test.each([
  [0, 0, 0],
  [1, 0, 1],
  [0, 1, 1],
  [4, 0, 1],
  [4, 1, 2],
  [8, 0, 2],
  [0, 1_000, 250],
])("%i running and %i queued builds, 4 on each replica, want %i replicas", async (running, queued, wanted) => {
  expect((await loadOf({ default: { ...BUSY, running, queued } })).body.wanted).toBe(wanted);
});

test("no replica at all has no capacity, and is wanted", async () => {
  const { body } = await loadOf({ default: { queued: 1, running: 0, readyReplicas: 0, maxBuilds: 8 } });
  expect(body).toMatchObject({ capacity: 0, wanted: 1, readyReplicas: 0 });
});

test("pools are added up, each rounded for itself", async () => {
  const { body } = await loadOf({
    amd64: { queued: 0, running: 1, readyReplicas: 2, maxBuilds: 4 },
    arm64: { queued: 1, running: 0, readyReplicas: 1, maxBuilds: 2 },
  });
  expect(body).toMatchObject({ queued: 1, running: 1, capacity: 10, wanted: 2, readyReplicas: 3 });
  expect(body.pools).toMatchObject({ amd64: { capacity: 8, wanted: 1 }, arm64: { capacity: 2, wanted: 1 } });
});

test("without a limit neither capacity nor wanted is known, of the pool and of the whole", async () => {
  const { body } = await loadOf({ limited: BUSY, unlimited: { ...BUSY, maxBuilds: 0 } });
  expect(body).toMatchObject({ queued: 6, running: 8, capacity: null, wanted: null, readyReplicas: 2 });
  expect(body.pools).toMatchObject({ limited: { capacity: 4 }, unlimited: { capacity: null, wanted: null } });
});

test("a parameter is refused, there being none", async () => {
  const { ask } = await serveJson(loadRoute([]));
  expect(await ask("/load?pool=a")).toEqual({ status: 400, body: { error: "no such parameter; it takes none" } });
});
