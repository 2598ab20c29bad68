import { EventEmitter } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { runCommandLine } from "../../../src/cli/run.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { runProgram } from "./run-program.ts";

const REPLICA = { state: "ready", sinceMs: 7_300_000, running: 1, warm: { keys: ["x"], count: 1 }, version: "v0.25.2" };

const STATUS = {
  version: "0.1.0",
  isReady: true,
  pools: [
    {
      name: "default",
      queued: 1,
      running: 1,
      readyReplicas: 1,
      maxBuilds: 2,
      replicaCount: 2,
      discovery: [{ source: "DNS of buildkit", state: "stale", reason: "ENOTFOUND" }],
      replicas: [
        { ...REPLICA, name: "buildkit-0" },
        {
          ...REPLICA,
          name: "buildkit-1",
          state: "ejected",
          sinceMs: 5_000,
          running: 0,
          reason: "connection\u001b[2J refused",
        },
      ],
      waiting: [{ key: "github.com/acme/site", waitedMs: 61_000, cause: "all 1 replicas are full" }],
    },
  ],
  running: [
    {
      pool: "default",
      name: "github.com/acme/app",
      job: "image",
      replica: "buildkit-0",
      reason: "warm",
      ranMs: 90_000,
      receivedBytes: 4_200_000,
      sentBytes: 300_000,
      steps: { done: 3, total: 11 },
    },
  ],
  failures: [
    {
      pool: "default",
      name: "github.com/acme/app",
      outcome: "failed",
      replica: "buildkit-0",
      cause: "exit code: 1",
      endedAt: "2026-11-26T00:00:00Z",
    },
  ],
};

async function serve(body: unknown): Promise<string> {
  const { bound } = await serveJson({
    "/status": { methods: ["GET"], handle: (_request, response) => void response.end(JSON.stringify(body)) },
  });
  if (bound.t !== "tcp") throw new Error("not a TCP address");
  return `127.0.0.1:${bound.port}`;
}

test("what runs, waits and has failed is shown, with nothing in it that a terminal acts on", async () => {
  const { status, out } = await runProgram(["status", "--admin", await serve(STATUS)]);
  expect(status).toBe(0);
  expect(out.split("\n")).toEqual([
    "gateway 0.1.0: ready",
    "",
    "1 running, 1 waiting, 1 of 2 replicas ready",
    "DNS of buildkit is stale: ENOTFOUND",
    "REPLICA     STATE    FOR  BUILDS  WARM  BUILDKIT  REASON",
    "buildkit-0  ready    2h   1/2     1     v0.25.2",
    "buildkit-1  ejected  5s   0/2     1     v0.25.2   connection?[2J refused",
    "",
    "RUNNING              JOB    REPLICA     WHY THERE  FOR  STEPS  MOVED",
    "github.com/acme/app  image  buildkit-0  warm       90s  3/11   4.5MB",
    "",
    "WAITING                  FOR  BECAUSE",
    "1  github.com/acme/site  61s  all 1 replicas are full",
    "",
    "FAILED LATELY        HOW     REPLICA     CAUSE",
    "github.com/acme/app  failed  buildkit-0  exit code: 1",
    "",
  ]);
});

test("with several pools, each has its own queue, and it is told what is whose", async () => {
  const [pool] = STATUS.pools;
  const other = { ...pool, name: "arm64", replicas: [], discovery: [] };
  const { out } = await runProgram(["status", "--admin", await serve({ ...STATUS, pools: [pool, other] })]);
  const blocks = out.split("\n\n");
  expect(blocks[2]).toBe("pool arm64: 1 running, 1 waiting, 1 of 2 replicas ready");
  expect(blocks.slice(3).map((block) => block.trimEnd().replaceAll(/ {2,}/g, " | ").split("\n"))).toEqual([
    [
      "RUNNING | JOB | POOL | REPLICA | WHY THERE | FOR | STEPS | MOVED",
      "github.com/acme/app | image | default | buildkit-0 | warm | 90s | 3/11 | 4.5MB",
    ],
    [
      "WAITING | POOL | FOR | BECAUSE",
      "1 | github.com/acme/site | default | 61s | all 1 replicas are full",
      "1 | github.com/acme/site | arm64 | 61s | all 1 replicas are full",
    ],
    [
      "FAILED LATELY | HOW | POOL | REPLICA | CAUSE",
      "github.com/acme/app | failed | default | buildkit-0 | exit code: 1",
    ],
  ]);
});

test("a terminal gets colours and lines of its width; with --watch a screen that is given back", async () => {
  const admin = await serve(STATUS);
  const signals = new EventEmitter();
  let out = "";
  const print = (text: string) => {
    out += text;
    if (text.includes("gateway 0.1.0")) setImmediate(() => signals.emit("SIGINT"));
  };
  const context = { env: {}, signals, print, complain: print, terminal: { columns: 40, rows: 24 } };
  expect(await runCommandLine(["status", "--watch", "--admin", admin], context)).toBe(0);
  expect(out.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
  expect(out.endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
  expect(out).toContain("buildkit-0  \u001b[32mready\u001b[0m");
  expect(out).toContain("buildkit-1  \u001b[31mejected\u001b[0m");
  const widths = stripVTControlCharacters(out)
    .split("\n")
    .map((line) => line.length);
  expect(Math.max(...widths)).toBe(40);
});

test("with --watch, what is more than the terminal has rows is left out at the end", async () => {
  const signals = new EventEmitter();
  let out = "";
  const print = (text: string) => {
    out += text;
    if (text.includes("gateway 0.1.0")) setImmediate(() => signals.emit("SIGINT"));
  };
  const context = { env: {}, signals, print, complain: print, terminal: { columns: 80, rows: 8 } };
  expect(await runCommandLine(["status", "--watch", "--admin", await serve(STATUS)], context)).toBe(0);
  const lines = stripVTControlCharacters(out).split("\n");
  expect(lines[0]).toBe("gateway 0.1.0: ready");
  expect(lines.slice(5)).toEqual([
    "buildkit-0  ready    2h   1/2     1     v0.25.2",
    "… 10 more lines: status without --watch, or the page",
    "",
  ]);
});

test("the answer as JSON is the gateway's own, and no answer is one line", async () => {
  const { out } = await runProgram(["status", "--json", "--admin", await serve(STATUS)]);
  expect(JSON.parse(out)).toEqual(STATUS);
  const { status, err } = await runProgram(["status", "--admin", await serve({ hello: 1 })]);
  expect([status, err]).toEqual([1, expect.stringMatching(/: not an answer of a gateway's admin port: 200\n$/)]);
  expect((await runProgram(["status", "--json", "--watch"])).status).toBe(2);
});
