import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { AdminToken } from "../../../src/admin/admin-token.ts";
import { drainRoutes } from "../../../src/admin/drain-routes.ts";
import type { Address } from "../../../src/base/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { serveJson } from "./admin-rig.ts";
import { FakeDrainFleet } from "./fake-drain-fleet.ts";

const TOKEN = "a-token-of-24-characters";
const BEARER = { authorization: `Bearer ${TOKEN}` };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "drain-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** A token file, and what reads it. */
function tokenFile(content = `${TOKEN}\n`) {
  const path = join(folder(), "token");
  writeFileSync(path, content);
  return { path, token: new AdminToken(path) };
}

/** A pool with replicas that run nothing. */
function pool(name: string, ...ids: string[]) {
  const fleet = new FakeDrainFleet();
  for (const id of ids) fleet.put(id);
  return { name, fleet, isSettled: (): boolean => true };
}

interface Served {
  readonly pools?: ReturnType<typeof pool>[];
  readonly token?: AdminToken;
  readonly address?: Address;
}

async function serve({ pools = [pool("default", "a", "b")], token, address }: Served = {}) {
  const clock = new FakeClock();
  const { send, ask } = await serveJson(drainRoutes(pools, { clock, token }), address);
  return { clock, send, ask, fleet: pools[0]!.fleet };
}

describe("GET /drain", () => {
  test("lists every replica of every pool", async () => {
    const { ask, fleet } = await serve({ pools: [pool("amd64", "a", "b"), pool("arm64", "a")] });
    fleet.put("a", { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" });
    fleet.drain("b");
    fleet.run("b", 2);
    expect(await ask("/drain")).toEqual({
      status: 200,
      body: {
        replicas: [
          {
            pool: "amd64",
            replica: "a",
            state: "ejected",
            reason: "connect ECONNREFUSED",
            running: 0,
            isDrained: false,
          },
          {
            pool: "amd64",
            replica: "b",
            state: "draining",
            reason: "drained by an operator",
            running: 2,
            isDrained: false,
          },
          { pool: "arm64", replica: "a", state: "ready", running: 0, isDrained: false },
        ],
      },
    });
  });

  test("of one pool lists its own", async () => {
    const { ask } = await serve({ pools: [pool("amd64", "a"), pool("arm64", "b")] });
    expect((await ask("/drain?pool=arm64")).body.replicas).toMatchObject([{ pool: "arm64", replica: "b" }]);
    expect(await ask("/drain?pool=x")).toEqual({
      status: 404,
      body: { error: "no such pool; there are: amd64, arm64" },
    });
  });
});

describe("GET /drain/<replica>", () => {
  test("is 200 at once for one that runs nothing, and changes nothing", async () => {
    const { ask } = await serve();
    const body = { pool: "default", replica: "a", state: "ready", running: 0, isDrained: false };
    expect(await ask("/drain/a?wait=1h")).toEqual({ status: 200, body });
    expect(await ask("/drain/a")).toEqual({ status: 200, body });
  });

  test("without a wait is 408 at once for one that is busy", async () => {
    const { ask, fleet } = await serve();
    fleet.run("a", 1);
    expect(await ask("/drain/a")).toMatchObject({
      status: 408,
      body: { replica: "a", running: 1, error: "1 build still runs on a" },
    });
  });

  test("is 200 as soon as the last build has ended", async () => {
    const { ask, fleet } = await serve();
    fleet.drain("a");
    fleet.run("a", 2);
    const answer = ask("/drain/a?wait=1h");
    await fleet.listened(1);
    fleet.run("b", 1);
    fleet.run("a", 1);
    expect(fleet.loadListeners).toBe(1);
    fleet.run("a", 0);
    expect(await answer).toMatchObject({ status: 200, body: { state: "draining", running: 0, isDrained: true } });
    expect(fleet.loadListeners).toBe(0);
  });

  test("is 408 with what still runs when the time is up", async () => {
    const { ask, fleet, clock } = await serve();
    fleet.run("a", 3);
    const answer = ask("/drain/a?wait=1h30m");
    await fleet.listened(1);
    expect(clock.delaysMs).toEqual([5_400_000]);
    clock.advance(5_400_000);
    expect(await answer).toMatchObject({
      status: 408,
      body: { running: 3, error: "3 builds still run on a after 1h30m" },
    });
    expect(fleet.loadListeners).toBe(0);
  });

  test("waits for the builds of a replica that discovery has dropped, and is 200 when it is forgotten", async () => {
    const { ask, fleet } = await serve();
    fleet.run("a", 1);
    const answer = ask("/drain/a?wait=1h");
    await fleet.listened(1);
    fleet.remove("a");
    expect(fleet.loadListeners).toBe(1);
    fleet.run("a", 0);
    expect(await answer).toMatchObject({ status: 200, body: { state: "gone", isDrained: true } });
  });

  test("is 200 for one that is gone, until it comes back", async () => {
    const { ask, fleet } = await serve();
    fleet.remove("a");
    expect(await ask("/drain/a?wait=1h")).toMatchObject({ status: 200, body: { state: "gone", isDrained: true } });
    fleet.put("a");
    expect(await ask("/drain/a")).toMatchObject({ status: 200, body: { state: "ready", isDrained: false } });
  });

  test("is 404 for one that never was", async () => {
    const { ask } = await serve();
    expect(await ask("/drain/c?wait=1h")).toEqual({ status: 404, body: { error: "no such replica" } });
  });

  test("takes names with slashes and colons", async () => {
    const { ask } = await serve({ pools: [pool("default", "/run/b.sock", "[::1]:1234")] });
    expect((await ask("/drain/%2Frun%2Fb.sock")).body.replica).toBe("/run/b.sock");
    expect((await ask(`/drain/${encodeURIComponent("[::1]:1234")}`)).body.replica).toBe("[::1]:1234");
  });

  test.each([
    ["wait=", 'wait: not a duration: "" (write 250ms, 30s, 5m or 1h)'],
    ["wait=300", 'wait: not a duration: "300" (write 250ms, 30s, 5m or 1h)'],
    ["wait=24h1ms", "wait: too long (at most 24h)"],
    ["wait=1h&wait=2h", "wait is given twice"],
    ["waits=1h", "no such parameter; there are: pool, wait"],
  ])("with ?%s is 400 and does not wait", async (query, error) => {
    const { ask, fleet } = await serve();
    fleet.run("a", 1);
    expect(await ask(`/drain/a?${query}`)).toEqual({ status: 400, body: { error } });
  });

  test("in several pools is 409 with their names, and answered for the one that is named", async () => {
    const { ask } = await serve({ pools: [pool("amd64", "a"), pool("arm64", "a"), pool("other", "b")] });
    expect(await ask("/drain/a")).toEqual({
      status: 409,
      body: { error: "in several pools: amd64, arm64 (name one of them: pool)" },
    });
    expect((await ask("/drain/a?pool=arm64")).body.pool).toBe("arm64");
    expect((await ask("/drain/b")).body.pool).toBe("other");
    expect((await ask("/drain/b?pool=arm64")).status).toBe(404);
  });

  test("ends its wait when the client leaves", async () => {
    const { send, fleet, clock } = await serve();
    fleet.run("a", 1);
    const request = send("/drain/a?wait=1h").on("error", () => {});
    await fleet.listened(1);
    request.destroy();
    while (fleet.loadListeners > 0) await new Promise(setImmediate);
    expect(clock.delaysMs).toEqual([]);
  });

  test("beyond 64 that wait is 503, and taken again when one has left", async () => {
    const { send, ask, fleet } = await serve();
    fleet.run("a", 1);
    const waiting = Array.from({ length: 64 }, () => send("/drain/a?wait=1h").on("error", () => {}));
    await fleet.listened(64);
    expect(await ask("/drain/a?wait=1h")).toEqual({ status: 503, body: { error: "64 requests wait already" } });
    expect((await ask("/drain/a")).status).toBe(408);
    expect((await ask("/drain/b?wait=1h")).status).toBe(200);
    waiting[0]!.destroy();
    while (fleet.loadListeners > 63) await new Promise(setImmediate);
    const late = send("/drain/a?wait=1h");
    await fleet.listened(64);
    fleet.run("a", 0);
    const [response] = await once(late, "response");
    response.resume();
    expect(response.statusCode).toBe(200);
  });
});

describe("POST and DELETE /drain/<replica>", () => {
  test("with the token drain and undo it", async () => {
    const { ask, fleet } = await serve(tokenFile());
    fleet.run("a", 1);
    expect(await ask("/drain/a", "POST", BEARER)).toMatchObject({
      status: 200,
      body: { replica: "a", state: "draining", running: 1, isDrained: false },
    });
    expect(await ask("/drain/a", "DELETE", BEARER)).toMatchObject({ status: 200, body: { state: "ready" } });
  });

  test("are 404 for what is not there, and 400 for a wait", async () => {
    const { ask, fleet } = await serve(tokenFile());
    fleet.remove("b");
    expect((await ask("/drain/c", "POST", BEARER)).status).toBe(404);
    expect((await ask("/drain/b", "DELETE", BEARER)).status).toBe(404);
    expect((await ask("/drain/a?wait=1h", "POST", BEARER)).status).toBe(400);
  });

  test.each(["POST", "DELETE"])("%s without a token file is 403 that says how to have one", async (method) => {
    const { ask, fleet } = await serve();
    expect(await ask("/drain/a", method, BEARER)).toEqual({
      status: 403,
      body: { error: "changes need admin.tokenFile, or an admin.listen on a unix socket" },
    });
    expect(fleet.replica("a")!.state.t).toBe("ready");
  });

  test.each([
    [{}, "needs the token of admin.tokenFile as Authorization: Bearer"],
    [{ authorization: `Basic ${TOKEN}` }, "needs the token of admin.tokenFile as Authorization: Bearer"],
    [{ authorization: "Bearer" }, "needs the token of admin.tokenFile as Authorization: Bearer"],
    [{ authorization: `Bearer ${TOKEN}x` }, "wrong token"],
    [{ authorization: `Bearer ${TOKEN.slice(0, -1)}` }, "wrong token"],
  ])("with %j are 401, and tell nobody what there is", async (headers, error) => {
    const { ask, fleet } = await serve(tokenFile());
    expect(await ask("/drain/a", "POST", headers)).toEqual({ status: 401, body: { error } });
    expect(await ask("/drain/unknown", "POST", headers)).toEqual({ status: 401, body: { error } });
    expect(fleet.replica("a")!.state.t).toBe("ready");
  });

  test("follow a token that has been changed", async () => {
    const { path, token } = tokenFile();
    const { ask } = await serve({ token });
    writeFileSync(path, "another-token-of-some-length");
    expect((await ask("/drain/a", "POST", BEARER)).status).toBe(401);
    expect((await ask("/drain/a", "POST", { authorization: "bearer another-token-of-some-length" })).status).toBe(200);
  });

  test("over a unix socket need no token", async () => {
    const { ask } = await serve({ address: { t: "unix", path: join(folder(), "admin.sock") } });
    expect((await ask("/drain/a", "POST")).body.state).toBe("draining");
    expect((await ask("/drain/a", "DELETE")).body.state).toBe("ready");
  });
});

describe("a token file", () => {
  test.each([
    ["short", "shorter than 16 characters"],
    ["", "shorter than 16 characters"],
    [`  ${"x".repeat(15)}\n`, "shorter than 16 characters"],
    ["two words that are long", "it has characters that a header cannot carry"],
    ["pässwörter-sind-lang", "it has characters that a header cannot carry"],
  ])("of %j holds none", async (content, fault) => {
    const { path, token } = tokenFile(content);
    await expect(token.read()).rejects.toThrow(`admin.tokenFile: no token in ${path}: ${fault}`);
  });

  test.each([TOKEN, `  ${TOKEN}\r\n`, "x".repeat(16), `${"x".repeat(4_095)}\n`])("of %j holds one", async (content) => {
    expect(await tokenFile(content).token.read()).toBe(content.trim());
  });

  test("that is too large is not read", async () => {
    const cause = { message: "4097 bytes, more than 4096" };
    await expect(tokenFile("x".repeat(4_097)).token.read()).rejects.toMatchObject({
      message: "admin.tokenFile",
      cause,
    });
  });

  test("that is not there names the setting", async () => {
    await expect(new AdminToken("/nonexistent/token").read()).rejects.toMatchObject({
      message: "admin.tokenFile",
      cause: { code: "ENOENT" },
    });
  });
});

test("a replica without builds is idle only once no client needs it any more", async () => {
  let isSettled = false;
  const { clock, ask, fleet } = await serve({ pools: [{ ...pool("default", "a"), isSettled: () => isSettled }] });
  expect(await ask("/drain/a")).toMatchObject({ status: 408, body: { running: 0, error: "clients still use a" } });
  const answer = ask("/drain/a?wait=1h");
  await fleet.listened(1);
  isSettled = true;
  clock.advance(250);
  expect(await answer).toMatchObject({ status: 200 });
});

test("a replica whose builds are not known is not idle until they are", async () => {
  const { clock, ask, fleet } = await serve();
  fleet.drain("a");
  fleet.unknown("a", "no answer in 2000 ms");
  expect(await ask("/drain/a")).toMatchObject({
    status: 408,
    body: { unknown: "no answer in 2000 ms", isDrained: false, error: "builds not known: no answer in 2000 ms" },
  });
  const late = ask("/drain/a?wait=1h");
  await fleet.listened(1);
  clock.advance(3_600_000);
  expect(await late).toMatchObject({ status: 408, body: { error: "builds not known: no answer in 2000 ms after 1h" } });
  const answer = ask("/drain/a?wait=1h");
  await fleet.listened(1);
  fleet.unknown("a", undefined);
  expect(await answer).toMatchObject({ status: 200, body: { isDrained: true } });
});

test("POST does not call a replica drained while a client uses it", async () => {
  let isSettled = false;
  const { ask } = await serve({ pools: [{ ...pool("default", "a"), isSettled: () => isSettled }], ...tokenFile() });
  expect(await ask("/drain/a", "POST", BEARER)).toMatchObject({ body: { state: "draining", isDrained: false } });
  isSettled = true;
  expect(await ask("/drain/a", "POST", BEARER)).toMatchObject({ body: { isDrained: true } });
});

test("a replica that an operator has drained is so although it is ejected", async () => {
  const { ask, fleet } = await serve();
  fleet.put("a", { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED" });
  expect((await ask("/drain/a")).body.isDrained).toBe(false);
  fleet.markDrained("a");
  expect((await ask("/drain/a")).body.isDrained).toBe(true);
});
