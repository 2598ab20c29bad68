import { deepStrictEqual, ok } from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Draw } from "../draw.ts";
import { drawText } from "../drawn-text.ts";
import type { FuzzTarget, OpenTarget } from "../fuzz-target.ts";
import { type SwitchUnderFuzz, startSwitch } from "../switch-under-fuzz.ts";

const TOKEN = "a-token-of-enough-characters";

/** Requests between two looks at whether all is well. */
const LOOK_INTERVAL = 50;

/** How long an answer may take. */
const ANSWER_MS = 8_000;

/** After this, an answer that is meant to go on is given up. */
const LONG_ANSWER_MS = 50;

const STATUSES = new Set([200, 304, 400, 401, 403, 404, 405, 408, 409, 413, 417, 431, 502, 503]);

/** What a replica may be asked for (docs/operations.md). */
const REPLICA_PAGES = /^\/(metrics|debug\/(vars|requests|events|pprof\/[a-z]*(\?[a-z0-9=&]*)?))$/;

const PATH_WORDS = [
  ..."/?&=%#.;:@\\",
  "..",
  "%2e%2e",
  "%2f",
  "%00",
  "%0d%0a",
  "%ff",
  "http://127.0.0.1:1/",
  "//127.0.0.2/",
  "/healthz",
  "/readyz",
  "/metrics",
  "/load",
  "/status",
  "/events",
  "/drain",
  "/drain/r1",
  "/explain",
  "/log",
  "/debug/health",
  "/dashboard/page.js",
  "/replicas/r1/metrics",
  "/replicas/r1/debug/pprof/heap",
  "/replicas/r1/debug/gc",
  "/replicas/",
  "?wait=1h",
  "?replicas=r1",
  "&level=error",
  "?level=",
  "?key=",
  "?repo=https://a:b@github.com/acme/app",
  "&image=a/b:1",
  "&directory=x",
  "?pool=default",
  "&seconds=5",
  "__proto__",
  "constructor",
  "größe",
];

const ROUTES = [
  "/healthz",
  "/metrics",
  "/load",
  "/events",
  "/drain",
  "/drain/r1",
  "/explain",
  "/log",
  "/dashboard/page.js",
  "/replicas/r1/metrics",
  "/replicas/r1/debug/pprof/heap",
];

const PARAMETERS = [
  "wait=1h",
  "wait=0",
  "wait=x",
  "level=error",
  "key=a",
  "repo=github.com/a/b",
  "pool=default",
  "pool=x",
  "seconds=5",
  "debug=1",
];

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "G@T", ""];

const TOKEN_HEADER = `authorization: Bearer ${TOKEN}`;

const HEADERS = [
  "host: 127.0.0.2",
  "host: evil.example:80",
  "connection: close",
  "connection: keep-alive",
  "connection: upgrade\r\nupgrade: websocket",
  "upgrade: h2c",
  "expect: 100-continue",
  "expect: x",
  "content-length: 5",
  "content-length: -1",
  "content-length: 99999999999999999999",
  "transfer-encoding: chunked",
  "transfer-encoding: chunked, gzip",
  " folded",
  "no colon",
  TOKEN_HEADER,
  "authorization: Bearer x",
  "if-none-match: *",
  "x-forwarded-for: 127.0.0.2",
  "a: \u0000",
  `x: ${"y".repeat(3_000)}`,
  `x: ${"y".repeat(17_000)}`,
];

/**
 * Whatever is sent to the admin port gets an answer of a known status or a closed
 * connection; nobody but the replica's debug port is asked for anything, and
 * that only for its pages; and the port goes on to serve.
 */
export const target: FuzzTarget = {
  name: "admin",
  maxInputBytes: 800,
  shortRunInputs: 250,
  sources: [
    "admin/admin-server.ts",
    "admin/admin-token.ts",
    "admin/drain-routes.ts",
    "admin/events-route.ts",
    "admin/explain-route.ts",
    "admin/query.ts",
    "admin/replica-debug-route.ts",
    "admin/route-table.ts",
    "admin/routes.ts",
  ],
  slowMs: 3_000,
  hangMs: 60_000,
  tokens: [Buffer.from("GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"), Buffer.from("0\r\n\r\n")],
  open: () => AdminUnderFuzz.open(),
};

class AdminUnderFuzz implements OpenTarget {
  readonly #switch: SwitchUnderFuzz;
  readonly #folder: string;
  readonly #debug: Server;
  readonly #port: number;
  /** What the replica's debug port was asked that it should not be. */
  readonly #misdirected: string[] = [];
  readonly #restoreConnect: () => void;
  #inputs = 0;

  private constructor(underFuzz: SwitchUnderFuzz, folder: string, debug: Server) {
    this.#switch = underFuzz;
    this.#folder = folder;
    this.#debug = debug;
    this.#port = (underFuzz.rig.gateway.admin as { port: number }).port;
    debug.on("request", ({ method, url, headers }: IncomingMessage) => {
      const names = Object.keys(headers).sort().join();
      const isAllowed = (method === "GET" || method === "HEAD") && REPLICA_PAGES.test(url ?? "");
      if (!isAllowed || names !== "accept,accept-encoding,connection,host")
        this.#misdirected.push(`${method} ${url} ${names}`);
    });
    const { port: debugPort } = debug.address() as AddressInfo;
    const allowed = new Set([this.#port, debugPort, ...portsOf(underFuzz)]);
    this.#restoreConnect = watchConnects((host, port) => {
      if (host !== "127.0.0.1" || !allowed.has(port)) this.#misdirected.push(`a connection to ${host} port ${port}`);
    });
  }

  static async open(): Promise<AdminUnderFuzz> {
    const debug = createServer((_request, response) => response.end("x 1\n"));
    await once(debug.listen(0, "127.0.0.1"), "listening");
    const folder = mkdtempSync(join(tmpdir(), "fuzz-admin-"));
    writeFileSync(join(folder, "token"), TOKEN);
    const { port } = debug.address() as AddressInfo;
    const settings = {
      ADMIN_TOKEN_FILE: join(folder, "token"),
      ADMIN_REPLICA_DEBUG_PORT: `${port}`,
      ADMIN_REPLICA_PROFILES: "true",
    };
    const underFuzz = await startSwitch({ admin: "127.0.0.1:0", settings });
    return new AdminUnderFuzz(underFuzz, folder, debug);
  }

  async run(input: Buffer): Promise<void> {
    const bytes = drawRequests(new Draw(input));
    const answer = await this.#send(bytes);
    for (const status of statusesOf(answer)) ok(STATUSES.has(status), `status ${status}`);
    ok(answer === "" || answer.startsWith("HTTP/1.1 "), `not an answer: ${JSON.stringify(answer.slice(0, 100))}`);
    deepStrictEqual(this.#misdirected, []);
    if (this.#inputs++ % LOOK_INTERVAL === 0) await this.#look();
  }

  async close(): Promise<void> {
    this.#restoreConnect();
    await this.#switch.close();
    this.#debug.closeAllConnections();
    this.#debug.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** All that comes until the connection is closed, which it must be once its client has ended its side. */
  async #send(bytes: Buffer): Promise<string> {
    const socket = connect(this.#port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    socket.on("error", () => {});
    const closed = once(socket, "close").then(() => true);
    socket.end(bytes);
    const startMs = performance.now();
    while (!(await Promise.race([closed, delay(LONG_ANSWER_MS)]))) {
      const isMeantToGoOn = /wait|events/i.test(decodeURIComponentLoosely(bytes.toString("latin1")));
      if (isMeantToGoOn || performance.now() - startMs > ANSWER_MS) {
        socket.destroy();
        ok(isMeantToGoOn, "neither an answer nor an end");
      }
    }
    return answer;
  }

  /** The port serves, and nothing is left of who asked before. */
  async #look(): Promise<void> {
    const asked = request({ port: this.#port, host: "127.0.0.1", path: "/load", agent: false }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    deepStrictEqual([response.statusCode, Object.keys(JSON.parse(await text(response)))[0]], [200, "queued"]);
    const { clock } = this.#switch.rig;
    // Waiting clients that have gone leave no timer: those of two replicas' checks and of the gateway itself stay.
    ok(clock.delaysMs.length < 20, `${clock.delaysMs.length} timers`);
  }
}

/** One request or several on one connection. */
function drawRequests(draw: Draw): Buffer {
  if (draw.chance(5)) return draw.rest();
  return Buffer.concat(Array.from({ length: 1 + draw.below(3) }, () => drawRequest(draw)));
}

function drawRequest(draw: Draw): Buffer {
  const method = draw.chance(70) ? draw.pick(METHODS.slice(0, 5)) : draw.pick(METHODS);
  const path = draw.chance(50) ? drawKnownPath(draw) : (draw.chance(80) ? "/" : "") + drawText(draw, PATH_WORDS);
  const version = draw.chance(95) ? "HTTP/1.1" : draw.pick(["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", ""]);
  const headers = ["host: a", ...(draw.chance(50) ? [TOKEN_HEADER] : draw.several(3, () => draw.pick(HEADERS)))];
  const head = `${method} ${path.replace(draw.chance(90) ? /[\s\0]+/g : /^$/, "")} ${version}\r\n${headers.join("\r\n")}\r\n\r\n`;
  const body = draw.chance(30) ? draw.bytes(draw.below(30)) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(head, draw.chance(50) ? "utf8" : "latin1"), body]);
}

/** A path that is served, mostly with parameters that some route takes. */
function drawKnownPath(draw: Draw): string {
  const parameters = draw.several(2, () => draw.pick(PARAMETERS));
  return draw.pick(ROUTES) + (parameters.length > 0 ? `?${parameters.join("&")}` : "");
}

/** The statuses of the answers on one connection: what a body has by chance is no status line. */
function statusesOf(answer: string): number[] {
  return [...answer.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)]
    .map(([, status]) => Number(status))
    .filter((status) => status !== 100);
}

function decodeURIComponentLoosely(encoded: string): string {
  return encoded.replace(/%([0-9a-f]{2})/gi, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function portsOf({ rig }: SwitchUnderFuzz): number[] {
  return rig.replicas.flatMap(({ address, grpc }) => [
    Number(new URL(address.replace("tcp:", "http:")).port),
    grpc.address.port,
  ]);
}

/** Hear of every connection that this process opens; returns the way to stop it. */
function watchConnects(onConnect: (host: string | undefined, port: number) => void): () => void {
  const usual = Socket.prototype.connect;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const [first] = args.flat() as ({ host?: string; port?: number } | number)[];
    if (typeof first === "object" && first.port !== undefined) onConnect(first.host, Number(first.port));
    return (usual as (...given: unknown[]) => Socket).apply(this, args);
  } as typeof usual;
  return () => {
    Socket.prototype.connect = usual;
  };
}
