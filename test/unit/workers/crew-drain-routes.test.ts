import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { AdminToken } from "../../../src/admin/admin-token.ts";
import type { DrainAnswer } from "../../../src/admin/drain-routes.ts";
import { type AdminRoutes, RequestFault, respondJson } from "../../../src/admin/routes.ts";
import { crewDrainRoutes } from "../../../src/workers/crew-drain-routes.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { fakeWorkers } from "./fake-workers.ts";

/** What a worker answers to one question after the other; the last again and again. */
type Script = readonly (Partial<DrainAnswer> & { readonly status: number })[];

const TOKEN = "not-a-secret-0123456789";

const IDLE = { status: 200, running: 0, isDrained: true };
const BUSY = { status: 408, running: 1, isDrained: false };
const UNKNOWN = { status: 404 };

function worker(script: Script, asked: string[] = []): AdminRoutes {
  let answers = 0;
  return {
    "/drain/<replica>": {
      methods: ["GET", "POST", "DELETE"],
      handle: ({ method, message }, response) => {
        asked.push(`${method} ${message.url}`);
        const { status, ...answer } = script[Math.min(answers++, script.length - 1)]!;
        if (status === 404) throw new RequestFault(404, "no such replica");
        respondJson(response, status, {
          pool: "default",
          replica: "a b",
          state: "draining",
          ...answer,
          ...(status === 408 && { error: "1 build still runs on a b" }),
        });
      },
    },
  };
}

async function serve(...workers: readonly (AdminRoutes | null)[]) {
  const folder = mkdtempSync(join(tmpdir(), "bkgw-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "token"), TOKEN);
  const token = new AdminToken(join(folder, "token"));
  const answers = await fakeWorkers(...workers);
  return await serveJson(crewDrainRoutes(answers, { clock: new FakeClock(), token }));
}

describe("GET /drain/<replica> of several workers", () => {
  test("is 200 when the replica is idle for all of them", async () => {
    const { ask } = await serve(worker([IDLE]), worker([IDLE]));
    expect(await ask("/drain/a%20b")).toMatchObject({ status: 200, body: { running: 0, isDrained: true } });
  });

  test("is 408 where it is busy for one, and says so in that one's words", async () => {
    const { ask } = await serve(worker([IDLE]), worker([BUSY]));
    expect(await ask("/drain/a%20b")).toMatchObject({
      status: 408,
      body: { running: 1, isDrained: false, error: "1 build still runs on a b" },
    });
  });

  test("passes the wait on, and asks once more for now, since each was idle at a moment of its own", async () => {
    const asked: string[] = [];
    const { ask } = await serve(worker([IDLE], asked), worker([IDLE, BUSY, IDLE]));
    expect((await ask("/drain/a%20b?wait=2s&pool=p")).status).toBe(200);
    const [withWait, forNow] = ["GET /drain/a%20b?pool=p&wait=2000ms", "GET /drain/a%20b?pool=p"];
    expect(asked).toEqual([withWait, forNow, withWait, forNow]);
  });

  test("does not mind a worker that was started anew and does not know a replica that has gone", async () => {
    const { ask } = await serve(worker([UNKNOWN]), worker([IDLE]));
    expect((await ask("/drain/a%20b?wait=1s")).status).toBe(200);
  });

  test("is 404 where none knows it", async () => {
    const { ask } = await serve(worker([UNKNOWN]), worker([UNKNOWN]));
    expect(await ask("/drain/a%20b")).toEqual({ status: 404, body: { error: "no such replica" } });
  });

  test("is 503 where one does not answer, and names it", async () => {
    const { ask } = await serve(worker([IDLE]), null);
    const { status, body } = await ask("/drain/a%20b");
    expect(status).toBe(503);
    expect(body.error).toMatch(/^worker 2 does not answer: /);
  });
});

describe("a change", () => {
  test.each(["POST", "DELETE"])("by %s reaches all of them", async (method) => {
    const [one, other]: [string[], string[]] = [[], []];
    const { ask } = await serve(worker([IDLE], one), worker([IDLE], other));
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask("/drain/a%20b", method, { authorization })).status).toBe(200);
    expect([one, other]).toEqual(Array(2).fill([`${method} /drain/a%20b`]));
  });

  test("without the token reaches none, though their own sockets need none", async () => {
    const asked: string[] = [];
    const { ask } = await serve(worker([IDLE], asked));
    expect((await ask("/drain/a%20b", "POST")).status).toBe(401);
    expect(asked).toEqual([]);
  });
});
