import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { checkAdmin } from "../../../src/doctor/admin-checks.ts";
import { fastClock, resultsOf, textOf } from "./doctor-rig.ts";

const REPLICA = { pool: "default", replica: "buildkit-0", state: "ready", version: "v0.25.0" };
const DISCOVERY = { pool: "default", source: "Kubernetes discovery of ci/buildkit", state: "live", ageMs: 1_500 };
const HEALTH = { status: "ok", discovery: [DISCOVERY], replicas: [REPLICA] };

function check(health: unknown, metrics = "", status = 200, date = new Date().toUTCString()) {
  const answers: Record<string, string> = {
    "/debug/health": typeof health === "string" ? health : JSON.stringify(health),
    "/metrics": metrics,
  };
  const ask = async (path: string) => ({ status: path === "/metrics" ? 200 : status, text: answers[path]!, date });
  return checkAdmin({ name: "127.0.0.1:6060", ask }, systemClock, systemClock.nowMs() + 8_500);
}

test("a gateway that is well", async () => {
  const { findings, readings } = await check(HEALTH);
  expect(findings.map(({ check: name, outcome }) => [name, outcome.t, outcome.seen])).toEqual([
    ["admin port", "ok", "127.0.0.1:6060: ok"],
    ["replicas", "ok", "1 of 1 replica ready"],
    ["replica buildkit-0", "ok", "ready (pool default, BuildKit v0.25.0)"],
    ["versions", "ok", "pool default: BuildKit v0.25.0"],
    ["discovery", "ok", "Kubernetes discovery of ci/buildkit: live, last news 1s500ms ago"],
    ["certificates", "ok", "the gateway has none"],
  ]);
  expect(Math.abs(readings[0]!.aheadMs)).toBeLessThan(30_000);
});

test("replicas that are out come first, with their reason", async () => {
  const out = { ...REPLICA, replica: "buildkit-1", state: "ejected", reason: "connect ECONNREFUSED 10.0.0.7:1234" };
  const { findings } = await check({ ...HEALTH, status: "degraded", replicas: [REPLICA, out] });
  expect(resultsOf(findings)).toMatchObject({
    "admin port": "warning",
    replicas: "warning",
    "replica buildkit-1": "failure",
    "replica buildkit-0": "ok",
  });
  expect(textOf(findings, "replica buildkit-1")).toMatch(/^ejected: connect ECONNREFUSED 10\.0\.0\.7:1234 .* \| /);
  expect(findings.findIndex(({ check: name }) => name === "replica buildkit-1")).toBe(2);
});

test("a gateway that is down says so with 503", async () => {
  const { findings } = await check({ status: "down", discovery: [], replicas: [] }, "", 503);
  expect(resultsOf(findings)).toMatchObject({ "admin port": "failure", replicas: "failure", versions: "skipped" });
});

test("versions that differ within a pool are a warning, between pools they are not", async () => {
  const other = { ...REPLICA, replica: "buildkit-1", version: "v0.24.0" };
  const skewed = await check({ ...HEALTH, replicas: [REPLICA, other] });
  expect(textOf(skewed.findings, "versions")).toMatch(
    /^pool default: v0\.25\.0 \(buildkit-0\) and v0\.24\.0 \(buildkit-1\) \| bring a pool to one version/,
  );
  const pools = await check({ ...HEALTH, replicas: [REPLICA, { ...other, pool: "arm" }] });
  expect(resultsOf(pools.findings).versions).toBe("ok");
});

test.each([
  ["stale", { ...DISCOVERY, state: "stale", reason: "403: no" }, /stale, last news 1s500ms ago: 403: no \| /],
  ["without news", { ...DISCOVERY, state: "syncing", ageMs: undefined }, /no news yet \| /],
  ["old", { ...DISCOVERY, ageMs: 900_000 }, /last news 15m ago \| /],
])("discovery that is %s is a warning", async (_what, discovery, told) => {
  const { findings } = await check({ ...HEALTH, discovery: [DISCOVERY, discovery] });
  const [first, second] = findings.filter(({ check: name }) => name === "discovery");
  expect([first!.outcome.t, second!.outcome.t]).toEqual(["ok", "warning"]);
  expect(textOf([second!], "discovery")).toMatch(told);
});

test.each([
  [30, "ok"],
  [5, "warning"],
  [-2, "failure"],
])("a certificate that ends in %i days is %s", async (days, result) => {
  const seconds = Date.now() / 1_000 + (days + 0.5) * 86_400;
  const metric = `bkgw_other 1\nbkgw_certificate_expiry_timestamp_seconds{setting="tls.cert"} ${seconds}\n`;
  const { findings } = await check(HEALTH, metric);
  expect(resultsOf(findings).certificates).toBe(result);
  expect(textOf(findings, "certificates")).toMatch(new RegExp(`^tls\\.cert expires on .*, in ${days} days`));
});

test.each([
  ["HTML", "<html>"],
  ["nothing", ""],
  ["JSON of another shape", { status: "green" }],
  ["a deep nest", "[".repeat(100_000)],
  ["replicas that are none", { ...HEALTH, replicas: [{ replica: 1 }] }],
])("a port that answers with %s is no gateway's", async (_what, body) => {
  const { findings } = await check(body, "", 404);
  expect(textOf(findings, "admin port")).toMatch(
    /^127\.0\.0\.1:6060 answers 404, and not as a gateway's admin port does \| /,
  );
  expect(resultsOf(findings).replicas).toBe("skipped");
});

test("a port that cannot be reached, or never answers, is a failure", async () => {
  const clock = fastClock(10);
  const dead = { name: "a:1", ask: () => Promise.reject(new Error("connection refused")) };
  const silent = { name: "a:1", ask: () => new Promise<never>(() => {}) };
  const seen = async (port: typeof dead) =>
    textOf((await checkAdmin(port, clock, clock.nowMs() + 8_500)).findings, "admin port");
  expect(await seen(dead)).toMatch(/^a:1: connection refused \| check --admin/);
  expect(await seen(silent)).toMatch(/^no answer within 3s/);
});
