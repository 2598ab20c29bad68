import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ReplicaDebugOptions, replicaDebugRoute } from "../../../src/admin/replica-debug-route.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import { serveJson } from "./admin-rig.ts";

/** What a replica's debug port was asked. */
interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
}

/** A gateway's admin port before the debug port of one replica, `buildkit-0`. */
async function start(answer: RequestListener, options: Partial<ReplicaDebugOptions> = {}) {
  const asked: Asked[] = [];
  const debug = createServer(({ method, url, headers }, response) => {
    asked.push({ method, url, headers });
    answer({ method, url, headers } as IncomingMessage, response);
  });
  debug.listen(0, "127.0.0.1");
  await once(debug, "listening");
  onTestFinished(() => {
    debug.closeAllConnections();
    debug.close();
  });
  const replica = (id: string, state: Replica["state"]): Replica => ({
    id,
    address: { t: "tcp", host: "127.0.0.1", port: 1234 },
    state,
    identity: "",
    runningBuilds: 0,
    unconfirmedBuilds: 0,
  });
  const replicas = [
    replica("buildkit-0", { t: "ready", sinceMs: 0 }),
    replica("ci/buildkit-0", { t: "ready", sinceMs: 0 }),
    replica("old", { t: "gone", sinceMs: 0 }),
  ];
  const { port } = debug.address() as AddressInfo;
  const pools = [{ name: "default", fleet: { replicas: () => replicas } }];
  const { send, bound } = await serveJson(replicaDebugRoute(pools, { port, withProfiles: false, ...options }));
  const ask = async (path: string, method?: string, headers?: Record<string, string>) => {
    const [response] = (await once(send(path, method, headers), "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  };
  return { asked, ask, bound };
}

const METRICS: RequestListener = (_request, response) =>
  response
    .writeHead(200, { "content-type": "text/plain", "set-cookie": "a=b", server: "buildkitd" })
    .end("go_threads 7\n");

describe("a replica's own pages", () => {
  test("are shown, asked for anew: nothing of the client's request comes along, nor the replica's other headers", async () => {
    const { ask, asked } = await start(METRICS);
    const headers = {
      cookie: "secret",
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      authorization: "Bearer x",
    };
    const answer = await ask("/replicas/buildkit-0/metrics", "GET", headers);
    expect(answer).toMatchObject({ status: 200, body: "go_threads 7\n" });
    expect(answer.headers["set-cookie"]).toBeUndefined();
    expect(answer.headers.server).toBeUndefined();
    expect(answer.headers["content-security-policy"]).toContain("sandbox");
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ method: "GET", url: "/metrics" });
    expect(Object.keys(asked[0]!.headers).sort()).toEqual(["accept", "accept-encoding", "connection", "host"]);
    expect(asked[0]!.headers.host).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("are there for HEAD, and for nothing that changes something", async () => {
    const { ask, asked } = await start(METRICS);
    expect((await ask("/replicas/buildkit-0/debug/vars", "HEAD")).status).toBe(200);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      expect((await ask("/replicas/buildkit-0/metrics", method)).status).toBe(405);
    }
    expect(asked.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("are there for one that is called by its namespace and its pod", async () => {
    const { ask, asked } = await start(METRICS, { withProfiles: true });
    for (const path of ["ci/buildkit-0/metrics", "ci%2Fbuildkit-0/debug/vars", "ci/buildkit-0/debug/pprof/"]) {
      expect(await ask(`/replicas/${path}`)).toMatchObject({ status: 200 });
    }
    expect(asked.map(({ url }) => url)).toEqual(["/metrics", "/debug/vars", "/debug/pprof/"]);
    expect((await ask("/replicas/other/buildkit-0/metrics")).status).toBe(404);
  });

  test("are profiles only where that is wished, with bounded parameters", async () => {
    expect((await (await start(METRICS)).ask("/replicas/buildkit-0/debug/pprof/heap")).status).toBe(404);
    const { ask, asked } = await start(METRICS, { withProfiles: true });
    expect((await ask("/replicas/buildkit-0/debug/pprof/profile?seconds=5&debug=1")).status).toBe(200);
    expect(asked[0]!.url).toBe("/debug/pprof/profile?seconds=5&debug=1");
    for (const query of ["seconds=61", "seconds=-1", "seconds=1%0d%0aX:%201", "cmd=x"]) {
      expect((await ask(`/replicas/buildkit-0/debug/pprof/profile?${query}`)).status).toBe(400);
    }
    expect((await ask("/replicas/buildkit-0/metrics?debug=1")).status).toBe(400);
    expect(asked).toHaveLength(1);
  });

  test.each([
    "/replicas/other/metrics",
    "/replicas/old/metrics",
    "/replicas/127.0.0.1/metrics",
    "/replicas/127.0.0.1:80/metrics",
    "/replicas/buildkit-0@evil.example/metrics",
    "/replicas/buildkit-0",
    "/replicas/buildkit-0/",
    "/replicas/buildkit-0//metrics",
    "/replicas/buildkit-0/../buildkit-0/debug/gc",
    "/replicas/buildkit-0/debug/gc",
    "/replicas/buildkit-0/metrics/../debug/gc",
    "/replicas/buildkit-0/metrics%2f..%2fdebug%2fgc",
    "/replicas/buildkit-0/%2e%2e/debug/gc",
    "/replicas/buildkit-0/metrics%00",
    "/replicas/buildkit-0/metrics%0d%0aX: 1",
    "/replicas/buildkit-0/http://evil.example/metrics",
    "/replicas/%E0%A4%A/metrics",
    "http://evil.example/replicas/buildkit-0/metrics",
    "//evil.example/replicas/buildkit-0/metrics",
  ])("are not found by %s", async (path) => {
    const { ask, asked } = await start(METRICS);
    expect((await ask(path.replaceAll(" ", "%20"))).status).toBe(404);
    expect(asked).toEqual([]);
  });

  test.each([
    [301, { location: "http://evil.example/" }],
    [302, { location: "/debug/gc" }],
    [500, {}],
    [200, { "content-encoding": "gzip" }],
  ])("are an error where the replica answers %d %j, which leads nowhere", async (status, headers) => {
    const { ask, asked } = await start((_request, response) => response.writeHead(status, headers).end("text"));
    const answer = await ask("/replicas/buildkit-0/metrics");
    expect(answer.status).toBe(502);
    expect(answer.headers.location).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  test("are an error where nobody listens, or the answer is cut", async () => {
    const { ask } = await start((_request, response) => response.destroy());
    expect(await ask("/replicas/buildkit-0/metrics")).toMatchObject({ status: 502 });
    const { ask: askNobody } = await start(METRICS, { port: 1 });
    const { status, body } = await askNobody("/replicas/buildkit-0/metrics");
    expect([status, JSON.parse(body).error]).toEqual([502, "the replica's debug port does not answer: ECONNREFUSED"]);
  });

  test("take no second request out of the body of the first", async () => {
    const { bound, asked } = await start(METRICS);
    if (bound.t !== "tcp") throw new Error("not a TCP address");
    const inner = "GET /replicas/buildkit-0/debug/vars HTTP/1.1\r\nhost: x\r\n\r\n";
    for (const head of [
      `content-length: ${inner.length}\r\ntransfer-encoding: chunked`,
      "content-length: 0\r\ncontent-length: 5",
      "transfer-encoding: chunked, identity",
      " content-length: 3",
    ]) {
      const socket = connect(bound.port, bound.host);
      socket.end(`GET /replicas/buildkit-0/metrics HTTP/1.1\r\nhost: x\r\n${head}\r\n\r\n${inner}`);
      const answer = await text(socket);
      expect(answer.match(/^HTTP\/1\.1 /gm)?.length ?? 0).toBeLessThanOrEqual(1);
    }
    expect(asked.filter(({ url }) => url !== "/metrics")).toEqual([]);
    expect(asked.every(({ headers }) => headers["content-length"] === undefined)).toBe(true);
  });
});
