import { expect, test } from "vitest";
import { type ExplainPool, explainRoute } from "../../../src/admin/explain-route.ts";
import type { ExplainedReplica } from "../../../src/routing/explanation.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { runProgram } from "./run-program.ts";

const REPLICAS: readonly ExplainedReplica[] = [
  { id: "buildkit-10", rank: 1, state: "ready", running: 2, maxBuilds: 4, isWarm: true, verdict: "warm, takes it" },
  { id: "b", rank: 2, state: "ejected", running: 0, maxBuilds: 4, isWarm: false, verdict: "ejected (refused)" },
];

/** A pool that sends everything to its first replica. */
function pool(name: string, replicas: readonly ExplainedReplica[] = REPLICAS): ExplainPool {
  return {
    name,
    keySources: ["repository", "image"],
    explain: (key) => ({
      key,
      decision: replicas[0] ? { t: "placed", replicaId: replicas[0].id, reason: { t: "warm" } } : { t: "none" },
      replicas,
    }),
  };
}

/** Serve pools; returns the flags that lead there, and the address. */
async function serve(...pools: ExplainPool[]) {
  const { bound } = await serveJson(explainRoute(pools));
  if (bound.t !== "tcp") throw new Error("not a TCP address");
  const admin = `127.0.0.1:${bound.port}`;
  return { admin, flags: ["--admin", admin] };
}

test("the key, the decision and a table of the replicas are printed", async () => {
  const { flags } = await serve(pool("default"));
  const argv = ["explain", "--repo", "https://s3cret@github.com/acme/app.git", "--directory", "web", ...flags];
  expect(await runProgram(argv)).toEqual({
    status: 0,
    out: [
      "key       github.com/acme/app//web",
      "decision  goes to buildkit-10 (warm: github.com/acme/app//web)",
      "",
      "RANK  REPLICA      STATE    BUILDS  WARM  VERDICT",
      "1     buildkit-10  ready    2/4     yes   warm, takes it",
      "2     b            ejected  0/4     no    ejected (refused)",
      "",
    ].join("\n"),
    err: "",
  });
});

test("without a limit, a key or a replica it says so", async () => {
  const unlimited = await serve(pool("default", [{ ...REPLICAS[0]!, maxBuilds: 0 }]));
  expect((await runProgram(["explain", ...unlimited.flags])).out).toMatch(
    /^key {7}none\n.*\n\n.*\n1 {5}buildkit-10 {2}ready {2}2 {7}yes/,
  );
  const empty = await serve(pool("default", []));
  expect((await runProgram(["explain", "--key", "k", ...empty.flags])).out).toBe(
    "key       k\ndecision  waits in the queue: no replica takes builds\n",
  );
});

test("several pools are printed under their names, or one alone", async () => {
  const { flags } = await serve(pool("amd64", []), pool("arm64", []));
  const all = await runProgram(["explain", "--image", "acme/app:1", ...flags]);
  expect(all.out.split("\n\n").map((part) => part.split("\n").slice(0, 2))).toEqual([
    ["pool      amd64", "key       image:acme/app"],
    ["pool      arm64", "key       image:acme/app"],
  ]);
  const one = await runProgram(["explain", "--pool", "arm64", "--image", "acme/app:1", ...flags]);
  expect(one.out).toMatch(/^key {7}image:acme\/app\n/);
});

test("--json prints the gateway's answer", async () => {
  const { flags } = await serve(pool("default"));
  const { status, out } = await runProgram(["explain", "--key", "k", "--json", ...flags]);
  expect(status).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    pools: [{ pool: "default", key: "k", replicas: [{ replica: "buildkit-10" }, {}] }],
  });
});

test("what a client could name is fit for a terminal", async () => {
  const { flags } = await serve(pool("default"));
  const { out } = await runProgram(["explain", "--key", "\x1b[2Jk\u202e\n", ...flags]);
  expect(out).toMatch(/^key {7}\?\[2Jk\?\?\ndecision {2}goes to buildkit-10 \(warm: \?\[2Jk\?\?\)\n/);
});

test.each([
  [["--repo", "https://s3cret@[broken"], "repo is not a git remote"],
  [["--pool", "x"], "no such pool; there are: default"],
  [["--directory", "web"], "a directory needs a repo"],
])("the gateway's refusal of %j is one line, with exit status 1", async (argv, message) => {
  const { admin, flags } = await serve(pool("default"));
  expect(await runProgram(["explain", ...argv, ...flags])).toEqual({
    status: 1,
    out: "",
    err: `buildkit-gateway: ${admin}: ${message}\n`,
  });
});

test("what is no explanation is one line, with exit status 1", async () => {
  const { bound } = await serveJson({
    "/explain": { methods: ["GET"], handle: (_request, response) => void response.end('{"pools":[{}]}') },
  });
  const admin = bound.t === "tcp" ? `127.0.0.1:${bound.port}` : "";
  expect(await runProgram(["explain"], { BUILDKIT_GATEWAY_ADMIN_LISTEN: admin })).toEqual({
    status: 1,
    out: "",
    err: `buildkit-gateway: ${admin}: not an answer of a gateway's admin port: 200\n`,
  });
});

test.each([
  [["a"], 'unexpected argument: "a"'],
  [["--json=yes"], "--json: takes no value"],
  [["--repo"], "--repo: needs a value"],
  [["--admin", "a:1", "--admin", "b:1"], "--admin: is given twice"],
])("the command line %j is wrong, with exit status 2", async (argv, message) => {
  expect(await runProgram(["explain", ...argv])).toEqual({ status: 2, out: "", err: `buildkit-gateway: ${message}\n` });
});
