import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pino } from "pino";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AdminServer } from "../../../src/admin/admin-server.ts";
import { probeRoutes, type Readiness } from "../../../src/admin/probes.ts";
import {
  type AdminRequest,
  type AdminRoute,
  type AdminRoutes,
  RequestFault,
  respondJson,
  respondText,
} from "../../../src/admin/routes.ts";
import { silentLog } from "../../../src/base/log.ts";

const LOOPBACK = { t: "tcp", host: "127.0.0.1", port: 0 } as const;

/** A server on a free port, and the way to ask it. */
async function serve(routes: AdminRoutes) {
  const server = new AdminServer({ routes, log: silentLog() });
  onTestFinished(() => server.close());
  const address = await server.listen(LOOPBACK);
  if (address.t !== "tcp") throw new Error("not a TCP address");
  const { port } = address;
  const ask = async (path: string, method = "GET", headers: Record<string, string> = {}) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers, agent: false }).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  };
  return { server, port, ask };
}

function serveProbes(readiness: () => Readiness = () => ({ t: "ready" })) {
  return serve(probeRoutes(readiness));
}

test("/healthz is 200 whatever readiness says", async () => {
  const { ask } = await serveProbes(() => ({ t: "not_ready", reason: "no healthy replica" }));
  expect(await ask("/healthz")).toMatchObject({ status: 200, body: "ok\n" });
});

test("/readyz says what is unusual though builds are taken", async () => {
  const { ask } = await serveProbes(() => ({
    t: "ready",
    note: "no replica takes a build now, builds wait: 3 in the queue",
  }));
  expect(await ask("/readyz")).toMatchObject({
    status: 200,
    body: "no replica takes a build now, builds wait: 3 in the queue\n",
  });
});

test("/readyz follows readiness, and says why not", async () => {
  let readiness: Readiness = { t: "not_ready", reason: "no healthy replica: a:1 (connecting)" };
  const { ask } = await serveProbes(() => readiness);
  expect(await ask("/readyz")).toMatchObject({ status: 503, body: "no healthy replica: a:1 (connecting)\n" });
  readiness = { t: "ready" };
  expect(await ask("/readyz")).toMatchObject({ status: 200, body: "ready\n" });
});

test("HEAD is answered as GET without the body, and a query does not matter", async () => {
  const { ask } = await serveProbes();
  expect(await ask("/healthz?verbose", "HEAD")).toMatchObject({
    status: 200,
    body: "",
    headers: { "content-length": "3", "cache-control": "no-store" },
  });
});

test.each(["/", "/healthz/", "//healthz", "/Healthz", "/healthz%20", "/../healthz", "/__proto__", "/constructor"])(
  "%s is no path of this port, and the answer lists those that are",
  async (path) => {
    const { ask } = await serveProbes();
    expect(await ask(path)).toMatchObject({
      status: 404,
      body: "no such path; this port serves:\n/healthz\n/readyz\n",
    });
  },
);

test("another method is refused with those that are taken", async () => {
  const { ask } = await serveProbes();
  expect(await ask("/healthz", "POST")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
});

describe("a route that fails", () => {
  const routes: AdminRoutes = {
    "/throws": {
      methods: ["GET"],
      handle: () => {
        throw new Error("secret");
      },
    },
    "/rejects": { methods: ["GET"], handle: () => Promise.reject(new Error("secret")) },
    "/begins": {
      methods: ["GET"],
      handle: (_request, response) => {
        response.writeHead(200).flushHeaders();
        throw new Error("secret");
      },
    },
    "/works": { methods: ["GET"], handle: (_request, response) => respondText(response, 200, "fine") },
  };

  test.each(["/throws", "/rejects"])("%s is a 500 that gives nothing away", async (path) => {
    const { ask } = await serve(routes);
    expect(await ask(path)).toMatchObject({ status: 500, body: "internal error, see the log\n" });
    expect(await ask("/works")).toMatchObject({ status: 200, body: "fine\n" });
  });

  test("after it has begun to answer has its connection cut", async () => {
    const { ask } = await serve(routes);
    await expect(ask("/begins")).rejects.toThrow();
    expect(await ask("/works")).toMatchObject({ status: 200 });
  });
});

test("one address has 128 connections at most, which keeps no other from being answered", async () => {
  const { port } = await serveProbes();
  const open = (localAddress: string): Socket => {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const held = Array.from({ length: 128 }, () => open("127.0.0.2"));
  await Promise.all(held.map((socket) => once(socket, "connect")));
  const surplus = open("127.0.0.2");
  surplus.resume();
  await once(surplus, "close");
  const probe = open("127.0.0.1");
  probe.write("GET /healthz HTTP/1.0\r\n\r\n");
  expect(await text(probe)).toContain("200 OK");
  held[0]!.destroy();
  const answered = async () => {
    const next = open("127.0.0.2");
    next.write("GET /healthz HTTP/1.0\r\n\r\n");
    return await text(next);
  };
  await expect.poll(answered).toContain("200 OK");
});

test("headers beyond 16 KiB are refused", async () => {
  const { ask } = await serveProbes();
  expect((await ask("/healthz", "GET", { "x-large": "x".repeat(17_000) })).status).toBe(431);
});

test("what is not HTTP is refused and harms nobody", async () => {
  const { ask, port } = await serveProbes();
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask("/healthz")).status).toBe(200);
});

/** Resolves when a socket has ended, be it by a reset. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on("error", () => {}).once("close", () => resolve()));
}

test("closing cuts idle and unfinished connections and frees the port", async () => {
  const { server, port } = await serveProbes();
  const idle = connect(port, "127.0.0.1");
  const unfinished = connect(port, "127.0.0.1");
  onTestFinished(() => void [idle, unfinished].map((socket) => socket.destroy()));
  await Promise.all([once(idle, "connect"), once(unfinished, "connect")]);
  unfinished.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");
  const closed = Promise.all([idle, unfinished].map(closeOf));
  await server.close();
  await closed;
  await server.close();
  const again = new AdminServer({ routes: {}, log: silentLog() });
  onTestFinished(() => again.close());
  expect(await again.listen({ ...LOOPBACK, port })).toEqual({ ...LOOPBACK, port });
});

test("a port in use rejects with Node's error", async () => {
  const { port } = await serveProbes();
  const second = new AdminServer({ routes: {}, log: silentLog() });
  await expect(second.listen({ ...LOOPBACK, port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await second.close();
});

test("a unix socket is served to its owner alone, and its file removed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "admin-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const address = { t: "unix", path: join(folder, "admin.sock") } as const;
  const server = new AdminServer({ routes: probeRoutes(() => ({ t: "ready" })), log: silentLog() });
  onTestFinished(() => server.close());
  expect(await server.listen(address)).toEqual(address);
  expect(statSync(address.path).mode & 0o777).toBe(0o600);
  const request = httpRequest({ socketPath: address.path, path: "/readyz", agent: false }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  expect(await text(response)).toBe("ready\n");
  await server.close();
  expect(existsSync(address.path)).toBe(false);
});

test("making the socket leaves the process's file mode mask as it was", async () => {
  const folder = mkdtempSync(join(tmpdir(), "admin-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const before = process.umask();
  const server = new AdminServer({ routes: {}, log: silentLog() });
  await expect(server.listen({ t: "unix", path: join(folder, "none", "admin.sock") })).rejects.toThrow();
  expect(process.umask()).toBe(before);
});

describe("what a route sees of a request", () => {
  /** A route that answers with what it sees. */
  const echo: AdminRoute = {
    methods: ["GET", "POST"],
    handle: ({ method, rest, query, authorization, isFromOwner }, response) =>
      respondJson(response, 200, { method, rest, query: [...query], authorization, isFromOwner }),
  };

  test("is its method, path, query and authorization", async () => {
    const { ask } = await serve({ "/echo/<name>": echo });
    const { status, headers, body } = await ask("/echo/a%2Fb%3F/c?x=1&x=%26&y", "POST", { authorization: "Bearer z" });
    expect({ status, type: headers["content-type"] }).toEqual({ status: 200, type: "application/json" });
    expect(JSON.parse(body)).toEqual({
      method: "POST",
      rest: "a/b?/c",
      query: [
        ["x", "1"],
        ["x", "&"],
        ["y", ""],
      ],
      authorization: "Bearer z",
      isFromOwner: false,
    });
  });

  test.each(["/echo", "/echo/", "/echo/%", "/echo/%ff", "/other/x"])("%s leads to none", async (path) => {
    const { ask } = await serve({ "/echo/<name>": echo });
    expect(await ask(path)).toMatchObject({ status: 404, body: "no such path; this port serves:\n/echo/<name>\n" });
  });

  test("an exact path wins over what lies below another, and the longer over the shorter", async () => {
    const named = (name: string): AdminRoute => ({
      methods: ["GET"],
      handle: ({ rest }, response) => respondText(response, 200, `${name} ${rest}`),
    });
    const { ask } = await serve({ "/a/<x>": named("short"), "/a/b/<x>": named("long"), "/a/b/c": named("exact") });
    const bodies = await Promise.all(["/a/b", "/a/b/", "/a/b/d", "/a/b/c"].map(async (path) => (await ask(path)).body));
    expect(bodies).toEqual(["short b\n", "short b/\n", "long d\n", "exact \n"]);
  });

  test("includes that its client has left", async () => {
    let abandoned = () => {};
    const left = new Promise<void>((resolve) => (abandoned = resolve));
    let arrived = () => {};
    const asked = new Promise<void>((resolve) => (arrived = resolve));
    const { port } = await serve({
      "/waits": {
        methods: ["GET"],
        handle: ({ signal }) => {
          signal.addEventListener("abort", abandoned);
          arrived();
        },
      },
    });
    const request = httpRequest({ host: "127.0.0.1", port, path: "/waits", agent: false }).end();
    request.on("error", () => {});
    await asked;
    request.destroy();
    await left;
  });
});

test("a route's refusal is answered as JSON, with its status and headers", async () => {
  const { ask } = await serve({
    "/refuses": {
      methods: ["GET"],
      handle: () => {
        throw new RequestFault(401, "who are you", { "www-authenticate": "Bearer" });
      },
    },
  });
  const { status, headers, body } = await ask("/refuses");
  expect({ status, asks: headers["www-authenticate"] }).toEqual({ status: 401, asks: "Bearer" });
  expect(JSON.parse(body)).toEqual({ error: "who are you" });
});

test("a failure is logged without the query, which may hold a token", async () => {
  const lines: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  const routes: AdminRoutes = {
    "/throws": {
      methods: ["GET"],
      handle: () => {
        throw new Error("broken");
      },
    },
  };
  const server = new AdminServer({ routes, log });
  onTestFinished(() => server.close());
  const { port } = (await server.listen(LOOPBACK)) as { port: number };
  const request = httpRequest({ host: "127.0.0.1", port, path: "/throws?repo=https://tok3n@a/b", agent: false }).end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  await text(response);
  expect(lines.join("")).toContain('"path":"/throws"');
  expect(lines.join("")).not.toContain("tok3n");
});

test("an answer that its client does not take is given up", async () => {
  let told: ServerResponse | undefined;
  const routes = {
    "/large": {
      methods: ["GET"],
      handle: (_request: AdminRequest, response: ServerResponse) => {
        told = response;
        response.end(Buffer.alloc(64 * 2 ** 20));
      },
    },
  };
  const server = new AdminServer({ routes, log: silentLog(), unreadTimeoutMs: 50 });
  onTestFinished(() => server.close());
  const bound = await server.listen({ t: "tcp", host: "127.0.0.1", port: 0 });
  if (bound.t !== "tcp") throw new Error("not a TCP address");
  const client = connect(bound.port, bound.host);
  onTestFinished(() => void client.destroy());
  client.on("error", () => {});
  client.pause();
  client.write("GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
  await vi.waitFor(() => expect(told?.destroyed).toBe(true), 10_000);
});
