import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { probeRoutes, type Readiness } from "../../../src/admin/probes.ts";
import { serveJson } from "../admin/admin-rig.ts";
import { runProgram } from "./run-program.ts";

/** A gateway's probes; returns where they are asked. */
async function serve(readiness: Readiness): Promise<string> {
  const { bound } = await serveJson(probeRoutes(() => readiness));
  if (bound.t !== "tcp") throw new Error("not a TCP address");
  return `127.0.0.1:${bound.port}`;
}

test.each([
  [{ t: "ready" }, "ready\n"],
  [{ t: "ready", note: "no replica takes a build now" }, "no replica takes a build now\n"],
] as const)("%j is well, and what it says is printed", async (readiness, out) => {
  const admin = await serve(readiness);
  expect(await runProgram(["health", "--admin", admin])).toEqual({ status: 0, out, err: "" });
});

test("a gateway that is not ready is not well, but lives", async () => {
  const admin = await serve({ t: "not_ready", reason: "draining" });
  const err = `buildkit-gateway: ${admin}: draining\n`;
  expect(await runProgram(["health", "--admin", admin])).toEqual({ status: 1, out: "", err });
  expect(await runProgram(["health", "--live", "--admin", admin])).toEqual({ status: 0, out: "ok\n", err: "" });
});

test("the port that the gateway's own variable opens on all addresses is asked on this machine", async () => {
  const port = (await serve({ t: "ready" })).split(":")[1];
  const { status } = await runProgram(["health"], { BUILDKIT_GATEWAY_ADMIN_LISTEN: `0.0.0.0:${port}` });
  expect(status).toBe(0);
});

test("no gateway, and no answer of a gateway, are one line, with exit status 1", async () => {
  const nobody = "unix:///nonexistent/admin.sock";
  expect(await runProgram(["health", "--admin", nobody])).toEqual({
    status: 1,
    out: "",
    err: `buildkit-gateway: ${nobody}: no such file or directory\n`,
  });
  const server = createServer((_request, response) => response.writeHead(404).end("\x1b[2Jwho?\nmore")).listen(0);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await runProgram(["health", "--admin", admin])).toEqual({
    status: 1,
    out: "",
    err: `buildkit-gateway: ${admin}: not an answer of a gateway's admin port: 404 ?[2Jwho?\n`,
  });
});

test.each([
  [["a"], 'unexpected argument: "a"'],
  [["--live=yes"], "--live: takes no value"],
  [["--admin", "off"], "--admin: the gateway has no admin port"],
])("the command line %j is wrong, with exit status 2", async (argv, message) => {
  expect(await runProgram(["health", ...argv])).toEqual({ status: 2, out: "", err: `buildkit-gateway: ${message}\n` });
});
