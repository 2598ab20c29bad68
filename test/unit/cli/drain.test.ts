import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { AdminToken } from "../../../src/admin/admin-token.ts";
import { type DrainPool, drainRoutes } from "../../../src/admin/drain-routes.ts";
import type { Address } from "../../../src/base/address.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { FakeDrainFleet } from "../admin/fake-drain-fleet.ts";
import { runProgram } from "./run-program.ts";

const folder = mkdtempSync(join(tmpdir(), "drain-"));
const tokenPath = join(folder, "token");
writeFileSync(tokenPath, "a-token-of-24-characters\n");
afterAll(() => rmSync(folder, { recursive: true }));
const wrongTokenPath = join(folder, "wrong");
writeFileSync(wrongTokenPath, "not-the-one-of-the-gateway");

/** A gateway with the replicas a and b, as far as draining goes. */
async function gateway(given: { pools?: DrainPool[]; address?: Address; isSettled?: () => boolean } = {}) {
  const { pools, address, isSettled = () => true } = given;
  const fleet = new FakeDrainFleet();
  fleet.put("a");
  fleet.put("b");
  const clock = new FakeClock();
  const routes = drainRoutes(pools ?? [{ name: "default", fleet, isSettled }], {
    clock,
    token: new AdminToken(tokenPath),
  });
  const { bound } = await serveJson(routes, address);
  const admin = bound.t === "tcp" ? `127.0.0.1:${bound.port}` : `unix://${bound.path}`;
  return { fleet, clock, admin, flags: ["--admin", admin, "--token-file", tokenPath] };
}

/** Something else than a gateway, that answers with this. */
async function stranger(status: number, body: string): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end(body));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A port that nothing listens on. */
async function closedPort(): Promise<string> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

test("a replica is drained, and let back with --undo", async () => {
  const { fleet, admin, flags } = await gateway();
  fleet.run("a", 1);
  expect(await runProgram(["drain", "a", ...flags])).toEqual({
    status: 0,
    out: `${admin}: a is draining, 1 build runs\n`,
    err: "",
  });
  expect(fleet.replica("a")!.state.t).toBe("draining");
  expect(await runProgram(["drain", ...flags, "--undo", "a"])).toEqual({
    status: 0,
    out: `${admin}: a is let back (state: ready)\n`,
    err: "",
  });
  expect(await runProgram(["drain", "b", ...flags])).toMatchObject({ out: `${admin}: b is drained\n` });
});

test("with --wait it ends when the last build has", async () => {
  const { fleet, admin, flags } = await gateway();
  fleet.run("a", 2);
  const ended = runProgram(["drain", "a", "--wait", "1h", ...flags]);
  await fleet.listened(1);
  fleet.run("a", 0);
  expect(await ended).toEqual({
    status: 0,
    out: `${admin}: a is draining, 2 builds run\n${admin}: a is drained\n`,
    err: "",
  });
});

test("with --wait it ends no sooner than its clients need it no more, though it runs no build", async () => {
  let isSettled = false;
  const { fleet, clock, admin, flags } = await gateway({ isSettled: () => isSettled });
  const ended = runProgram(["drain", "a", "--wait", "1h", ...flags]);
  await fleet.listened(1);
  isSettled = true;
  clock.advance(1_000);
  expect(await ended).toEqual({
    status: 0,
    out: `${admin}: a is draining, no builds run\n${admin}: a is drained\n`,
    err: "",
  });
});

test("with --wait it fails when its clients still need it at its end", async () => {
  const { fleet, clock, admin, flags } = await gateway({ isSettled: () => false });
  const ended = runProgram(["drain", "a", "--wait", "1h", ...flags]);
  await fleet.listened(1);
  clock.advance(3_600_000);
  const { status, out, err } = await ended;
  expect({ status, out }).toEqual({ status: 1, out: `${admin}: a is draining, no builds run\n` });
  expect(err).toContain(`buildkit-gateway: ${admin}: `);
});

test("with --wait it fails when somebody lets the replica back meanwhile", async () => {
  const { fleet, admin, flags } = await gateway();
  fleet.run("a", 1);
  const ended = runProgram(["drain", "a", "--wait", "1h", ...flags]);
  await fleet.listened(1);
  fleet.undrain("a");
  fleet.run("a", 0);
  expect(await ended).toEqual({
    status: 1,
    out: `${admin}: a is draining, 1 build runs\n`,
    err: `buildkit-gateway: ${admin}: a was let back meanwhile (state: ready)\n`,
  });
});

test("with --wait a replica that was out already is done, as it runs no build", async () => {
  const { fleet, admin, flags } = await gateway();
  fleet.drain = () => true;
  fleet.put("a", { t: "ejected", sinceMs: 0, reason: "refused" });
  const { status, out } = await runProgram(["drain", "a", "--wait", "1h", ...flags]);
  expect({ status, out }).toEqual({ status: 0, out: `${admin}: a is ejected, no builds run\n`.repeat(2) });
});

test("with --wait it fails when builds still run at its end", async () => {
  const { fleet, clock, admin, flags } = await gateway();
  fleet.run("a", 2);
  const ended = runProgram(["drain", "a", "--wait", "1h", ...flags]);
  await fleet.listened(1);
  clock.advance(3_600_000);
  expect(await ended).toEqual({
    status: 1,
    out: `${admin}: a is draining, 2 builds run\n`,
    err: `buildkit-gateway: ${admin}: 2 builds still run on a after 1h\n`,
  });
});

test("every gateway is asked, and one that fails makes the whole fail", async () => {
  const [one, other, closed] = [await gateway(), await gateway(), await closedPort()];
  const { status, out, err } = await runProgram([
    "drain",
    "a",
    ...one.flags,
    "--admin",
    other.admin,
    "--admin",
    closed,
  ]);
  expect(status).toBe(1);
  expect(out.split("\n").sort()).toEqual(["", `${one.admin}: a is drained`, `${other.admin}: a is drained`].sort());
  expect(err).toBe(`buildkit-gateway: ${closed}: connection refused\n`);
});

test("the gateway's own environment is enough, where it listens on every address", async () => {
  const { admin } = await gateway();
  const env = {
    BUILDKIT_GATEWAY_ADMIN_LISTEN: admin.replace("127.0.0.1", "0.0.0.0"),
    BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE: tokenPath,
    BUILDKIT_GATEWAY_DRAIN_GRACE: "1h",
  };
  expect(await runProgram(["drain", "a"], env)).toEqual({ status: 0, out: `${admin}: a is drained\n`, err: "" });
});

test("a unix socket needs no token, and a token file that is not there does no harm", async () => {
  const path = join(folder, "admin.sock");
  await gateway({ address: { t: "unix", path } });
  const env = { BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE: "/nonexistent" };
  expect(await runProgram(["drain", "a", "--admin", `unix://${path}`], env)).toEqual({
    status: 0,
    out: `unix://${path}: a is drained\n`,
    err: "",
  });
});

test("a replica of several pools is drained in the one that is named", async () => {
  const [amd64, arm64] = [new FakeDrainFleet(), new FakeDrainFleet()];
  amd64.put("a");
  arm64.put("a");
  const pools = [
    { name: "amd64", fleet: amd64, isSettled: () => true },
    { name: "arm64", fleet: arm64, isSettled: () => true },
  ];
  const { admin, flags } = await gateway({ pools });
  expect(await runProgram(["drain", "a", ...flags])).toMatchObject({
    status: 1,
    err: `buildkit-gateway: ${admin}: in several pools: amd64, arm64 (name one of them: pool)\n`,
  });
  expect((await runProgram(["drain", "a", "--pool", "arm64", ...flags])).status).toBe(0);
  expect([amd64, arm64].map((fleet) => fleet.replica("a")!.state.t)).toEqual(["ready", "draining"]);
});

describe("what a gateway refuses is one line, with exit status 1", () => {
  test.each([
    [["c", "--token-file", tokenPath], "no such replica"],
    [["a"], "needs the token of admin.tokenFile as Authorization: Bearer"],
    [["a", "--token-file", wrongTokenPath], "wrong token"],
    [["a", "--token-file", tokenPath, "--pool", "x"], "no such pool; there are: default"],
  ])("%j", async (argv, message) => {
    const { admin, fleet } = await gateway();
    expect(await runProgram(["drain", ...argv, "--admin", admin])).toEqual({
      status: 1,
      out: "",
      err: `buildkit-gateway: ${admin}: ${message}\n`,
    });
    expect(fleet.replica("a")!.state.t).toBe("ready");
  });
});

describe("what is no gateway is one line, with exit status 1", () => {
  test.each([
    [200, "<html>\nhello", "not an answer of a gateway's admin port: 200 <html>"],
    [404, "no such path\n\x1b[2J", "not an answer of a gateway's admin port: 404 no such path"],
    [200, "{}", "not an answer of a gateway's admin port: 200"],
    [500, "null", "not an answer of a gateway's admin port: 500"],
    [200, `"${"x".repeat(17 * 2 ** 20)}"`, "answer larger than 16777216 bytes"],
    [403, '{"error":"\\u001b[2Jcleared\\nscreen"}', "?[2Jcleared?screen"],
  ])("one that answers %i", async (status, body, message) => {
    const admin = await stranger(status, body);
    expect(await runProgram(["drain", "a", "--admin", admin])).toEqual({
      status: 1,
      out: "",
      err: `buildkit-gateway: ${admin}: ${message}\n`,
    });
  });
});

describe("a wrong command line asks nobody, with exit status 2", () => {
  test.each([
    [[], "no replica given: buildkit-gateway drain NAME"],
    [[""], "no replica given: buildkit-gateway drain NAME"],
    [["a", "b"], 'unexpected argument: "b"'],
    [["a", "--wait", "300"], '--wait: not a duration: "300" (write 250ms, 30s, 5m or 1h)'],
    [["a", "--wait", "24h1ms"], "--wait: too large: 24h1ms (at most 24h)"],
    [["a", "--wait", "30h", "--undo"], "--wait: there is nothing to wait for with --undo"],
    [["a", "--wait", "1h", "--undo"], "--wait: there is nothing to wait for with --undo"],
    [["a", "--wiat", "1h"], "--wiat: unknown flag (did you mean --wait?)"],
    [["a", "--admin", "nowhere"], '--admin: not an address: "nowhere" (write host:port, unix:///path or off)'],
    [["a", "--admin", "a:1,b:2"], '--admin: not an address: "a:1,b:2" (write host:port, unix:///path or off)'],
    [["a", "--admin", "a:65536"], '--admin: not an address: "a:65536" (write host:port, unix:///path or off)'],
    [["a", "--admin", "off"], "--admin: the gateway has no admin port"],
    [["a", "--admin", ":0"], '--admin: no port to connect to: ":0"'],
    [["a", "--token-file", "/nonexistent"], "--token-file: no such file or directory: /nonexistent"],
    [["a", "--token-file", "/dev/zero"], "--token-file: not a regular file: /dev/zero"],
    [["a", "--token-file", "/dev/null"], "--token-file: not a regular file: /dev/null"],
  ])("%j", async (argv, message) => {
    expect(await runProgram(["drain", ...argv])).toEqual({ status: 2, out: "", err: `buildkit-gateway: ${message}\n` });
  });

  test("that has several faults lists them", async () => {
    const { status, err } = await runProgram(["drain", "a", "--wait", "1"], { BUILDKIT_GATEWAY_ADMIN_LISTEN: "off" });
    expect({ status, lines: err.split("\n") }).toEqual({
      status: 2,
      lines: [
        "buildkit-gateway: 2 things are wrong with the command line",
        '  --wait: not a duration: "1" (write 250ms, 30s, 5m or 1h)',
        "  BUILDKIT_GATEWAY_ADMIN_LISTEN: the gateway has no admin port",
        "",
      ],
    });
  });
});
