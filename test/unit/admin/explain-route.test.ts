import { describe, expect, test } from "vitest";
import { explainRoute } from "../../../src/admin/explain-route.ts";
import type { KeySource } from "../../../src/routing/affinity-key.ts";
import type { Explanation } from "../../../src/routing/explanation.ts";
import { serveJson } from "./admin-rig.ts";

const REPLICA = {
  id: "a",
  rank: 1,
  state: "ready",
  running: 2,
  maxBuilds: 4,
  isWarm: true,
  verdict: "warm, takes it",
} as const;

/** Serve pools that explain each key in the same way. */
async function serve({
  names = ["default"],
  decision = { t: "placed", replicaId: "a", reason: { t: "warm" } } as Explanation["decision"],
  keySources = ["repository", "image", "sharedkey"] as readonly KeySource[],
} = {}) {
  const explain = (key: string | undefined): Explanation => ({ key, decision, replicas: [REPLICA] });
  return serveJson(explainRoute(names.map((name) => ({ name, keySources, explain }))));
}

/** The key that a query means. */
async function keyOf(query: Record<string, string>, keySources?: readonly KeySource[]): Promise<unknown> {
  const { ask } = await serve(keySources && { keySources });
  const { status, body } = await ask(`/explain?${new URLSearchParams(query)}`);
  return status === 200 ? body.pools[0].key : body.error;
}

test("the answer has the key, the decision and the replicas of each pool", async () => {
  const { ask } = await serve();
  expect(await ask("/explain?repo=git@github.com:acme/app.git")).toEqual({
    status: 200,
    body: {
      pools: [
        {
          pool: "default",
          key: "github.com/acme/app",
          decision: {
            outcome: "placed",
            replica: "a",
            reason: "warm",
            text: "goes to a (warm: github.com/acme/app)",
          },
          replicas: [
            {
              replica: "a",
              rank: 1,
              state: "ready",
              running: 2,
              maxBuilds: 4,
              isWarm: true,
              verdict: "warm, takes it",
            },
          ],
        },
      ],
    },
  });
});

describe("the key", () => {
  test.each([
    [{}, null],
    [{ repo: "https://github.com/acme/app" }, "github.com/acme/app"],
    [{ repo: "https://github.com/acme/app", directory: "./web/" }, "github.com/acme/app//web"],
    [{ repo: "https://github.com/acme/app.git#main:web" }, "github.com/acme/app//web"],
    [{ image: "registry:5000/acme/app:1.2" }, "image:registry:5000/acme/app"],
    [{ repo: "https://github.com/acme/app", image: "acme/app" }, "github.com/acme/app"],
    [{ key: "image:acme/app" }, "image:acme/app"],
    [{ key: "" }, null],
  ])("of %j is %j", async (query, key) => {
    expect(await keyOf(query)).toBe(key);
  });

  test("follows what the pool's keys are made from", async () => {
    expect(await keyOf({ repo: "https://github.com/acme/app", image: "acme/app" }, ["image"])).toBe("image:acme/app");
    expect(await keyOf({ repo: "https://github.com/acme/app" }, [])).toBe(null);
  });

  test.each([
    [{ repo: "not a remote" }, "repo is not a git remote"],
    [{ repo: "" }, "repo is not a git remote"],
    [{ directory: "web" }, "a directory needs a repo"],
    [{ key: "a", image: "b" }, "give a key, or what it is made from, not both"],
    [{ key: "a", repo: "" }, "give a key, or what it is made from, not both"],
    [{ key: "x".repeat(513) }, "key is longer than 512 characters"],
    [{ image: "x".repeat(4_097) }, "image is longer than 4096 characters"],
    [{ repository: "x" }, "no such parameter; there are: repo, directory, image, key, pool"],
  ])("of %j is refused", async (query, error) => {
    expect(await keyOf(query as Record<string, string>)).toBe(error);
  });
});

test.each([
  "repo=https://user:s3cret@github.com/acme/app",
  "repo=https://s3cret@[broken",
  "repo=https://a@s3cret@github.com/acme/app",
  "key=https://s3cret@github.com/acme/app",
  "image=s3cret@github.com/acme/app",
  "s3cret=1",
])("nothing of the credentials in %s comes back", async (query) => {
  const { ask } = await serve();
  expect(JSON.stringify(await ask(`/explain?${query}`))).not.toContain("s3cret");
});

test("every pool is explained, or the one that is named", async () => {
  const { ask } = await serve({ names: ["amd64", "arm64"] });
  const poolsOf = async (path: string) => (await ask(path)).body.pools.map(({ pool }: { pool: string }) => pool);
  expect(await poolsOf("/explain?key=a")).toEqual(["amd64", "arm64"]);
  expect(await poolsOf("/explain?key=a&pool=arm64")).toEqual(["arm64"]);
  expect(await ask("/explain?pool=x")).toEqual({
    status: 404,
    body: { error: "no such pool; there are: amd64, arm64" },
  });
});

test.each([
  [{ t: "busy", replicaId: "a" }, "a", "waits up to affinity.patience for a, which is warm for it and busy"],
  [{ t: "unconfirmed", replicaId: "a" }, "a", "goes to a in a moment, once the last build there is confirmed"],
  [{ t: "full" }, null, "waits in the queue: all replicas are full"],
  [{ t: "none" }, null, "waits in the queue: no replica takes builds"],
] as const)("the decision %j is told in words", async (decision, replica, text) => {
  const { ask } = await serve({ decision });
  expect((await ask("/explain?key=k")).body.pools[0].decision).toEqual({
    outcome: decision.t,
    replica,
    reason: null,
    text,
  });
});

test("a build without a key has no key in its words", async () => {
  const { ask } = await serve({ decision: { t: "placed", replicaId: "a", reason: { t: "least loaded" } } });
  expect((await ask("/explain")).body.pools[0].decision.text).toBe("goes to a (least loaded)");
});
