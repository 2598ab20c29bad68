import { expect, test } from "vitest";
import { BuildQueue, type QueuedBuild } from "../../../src/routing/build-queue.ts";

interface Build extends QueuedBuild {
  readonly name: string;
}

/** Builds named `key number`, in the order they come. */
function queueOf(names: readonly string[], weightOf: (fairKey: string) => number = () => 1) {
  const queue = new BuildQueue<Build>(weightOf);
  const builds = names.map((name, arrival): Build => ({ name, arrival, fairKey: name.split(" ")[0]! }));
  for (const build of builds) queue.add(build);
  return { queue, builds };
}

/** Let builds go as long as there is room; each counts as running from then on. */
function serve(queue: BuildQueue<Build>, room = Number.POSITIVE_INFINITY): string[] {
  const served: string[] = [];
  queue.serve((build) => {
    if (served.length === room) return "stop";
    served.push(build.name);
    queue.remove(build);
    queue.started(build.fairKey);
    return "taken";
  });
  return served;
}

test("the key with the fewest running builds goes first, then first come", () => {
  const { queue } = queueOf(["x 1", "x 2", "x 3", "y 1", "z 1", "y 2"]);
  expect(queue.inOrder().map(({ name }) => name)).toEqual(["x 1", "y 1", "z 1", "x 2", "y 2", "x 3"]);
  expect(serve(queue)).toEqual(["x 1", "y 1", "z 1", "x 2", "y 2", "x 3"]);
  expect(queue.size).toBe(0);
  expect(queue.running).toBe(6);
});

test("running builds of a key put it behind others, until they end", () => {
  const { queue } = queueOf([]);
  const ends = [queue.started("x"), queue.started("x")];
  const builds = ["x 1", "y 1", "y 2", "y 3"].map((name, arrival) => ({ name, arrival, fairKey: name[0]! }));
  for (const build of builds) queue.add(build);
  expect(queue.inOrder().map(({ name }) => name)).toEqual(["y 1", "y 2", "x 1", "y 3"]);
  for (const end of ends) end();
  for (const end of ends) end();
  expect(queue.running).toBe(0);
  expect(queue.inOrder().map(({ name }) => name)).toEqual(["x 1", "y 1", "y 2", "y 3"]);
});

test("a key of weight 2 has two builds running for each of weight 1", () => {
  const names = Array.from({ length: 12 }, (_, i) => [`heavy ${i}`, `light ${i}`]).flat();
  const { queue } = queueOf(names, (key) => (key === "heavy" ? 2 : 1));
  const served = serve(queue, 9);
  expect(served.filter((name) => name.startsWith("heavy"))).toHaveLength(6);
  expect(served.filter((name) => name.startsWith("light"))).toHaveLength(3);
});

test("a head that cannot go keeps its line, and nobody else's", () => {
  const { queue } = queueOf(["x 1", "x 2", "y 1", "y 2"]);
  const offered: string[] = [];
  queue.serve((build) => {
    offered.push(build.name);
    if (build.fairKey === "x") return "passed";
    queue.remove(build);
    queue.started(build.fairKey);
    return "taken";
  });
  expect(offered).toEqual(["x 1", "y 1", "y 2"]);
  expect([...queue.heads()].map(({ name }) => name)).toEqual(["x 1"]);
});

test("a build leaves from wherever it stands, once", () => {
  const { queue, builds } = queueOf(["x 1", "x 2", "x 3", "y 1"]);
  queue.remove(builds[1]!);
  queue.remove(builds[1]!);
  expect(queue.size).toBe(3);
  expect(queue.inOrder().map(({ name }) => name)).toEqual(["x 1", "y 1", "x 3"]);
  for (const build of builds) queue.remove(build);
  expect(queue.size).toBe(0);
});

test("nothing is kept of a key of which none waits and none runs", () => {
  const { queue, builds } = queueOf(["x 1"]);
  const end = queue.started("x");
  queue.remove(builds[0]!);
  expect(queue.turn("x")).toBeDefined();
  end();
  expect(queue.turn("x")).toBeUndefined();
});
