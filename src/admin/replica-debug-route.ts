import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import http2Proxy from "http2-proxy";
import type { Replica } from "../replicas/replica.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, RequestFault } from "./routes.ts";

/** A pool whose replicas can be looked into. */
export interface DebugPool {
  readonly name: string;
  readonly fleet: { replicas(): readonly Replica[] };
}

/** What of a replica may be seen. */
export interface ReplicaDebugOptions {
  /** Where every replica serves its debug pages (buildkitd's `debugAddress`); 0: nowhere. */
  readonly port: number;
  /** Profiles, too, which cost the replica something. */
  readonly withProfiles: boolean;
}

/** What buildkitd serves to read (moby/buildkit cmd/buildkitd/debug.go). `/debug/gc` is not: it changes something. */
const PAGES = ["metrics", "debug/vars", "debug/requests", "debug/events"];

const PROFILES = ["", "allocs", "block", "goroutine", "heap", "mutex", "profile", "threadcreate", "trace"].map(
  (name) => `debug/pprof/${name}`,
);

/** A profile of CPU or a trace runs for 30 s by default. */
const TIMEOUT_MS = 70_000;

const MAX_SECONDS = 60;

/** What a page may have. A heap of gigabytes has a profile of some MiB. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/** What comes from a replica is looked at, and never run. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
  "x-content-type-options": "nosniff",
};

/**
 * `GET /replicas/<name>/metrics` and `/replicas/<name>/debug/…`: a replica's own pages, through the gateway.
 *
 * No proxy for anything else: replica and page are looked up in what is known, and the request is made anew from
 * that. Nothing that a client sends is handed on but the parameters of a profile, and no redirect is followed.
 */
export function replicaDebugRoute(
  pools: readonly DebugPool[],
  { port, withProfiles }: ReplicaDebugOptions,
): AdminRoutes {
  if (port === 0) return {};
  const pages = [...PAGES, ...(withProfiles ? PROFILES : [])];
  return {
    "/replicas/<name>": {
      methods: ["GET", "HEAD"],
      handle: async ({ rest, query, message }, response) => {
        const { pool, ...parameters } = readQuery(query, ["pool", "debug", "seconds", "gc"]);
        // From the end: a name may be of a namespace and a pod, with a slash between them.
        const page = pages.find((known) => rest.endsWith(`/${known}`));
        if (page === undefined) throw new RequestFault(404, `no such page; there are: ${pages.join(", ")}`);
        const replica = findReplica(pools, rest.slice(0, -page.length - 1), pool);
        if (replica.address.t === "unix")
          throw new RequestFault(404, "a replica behind a unix socket has no debug port");
        const path = `/${page}${profileQuery(page, parameters)}`;
        await passOn(message, response, { host: replica.address.host, port, path });
      },
    },
  };
}

function findReplica(pools: readonly DebugPool[], name: string, poolName: string | undefined): Replica {
  const meant = pools.filter((pool) => poolName === undefined || pool.name === poolName);
  if (meant.length === 0) throw new RequestFault(404, "no such pool");
  const found = meant.flatMap(({ fleet }) =>
    fleet.replicas().filter(({ id, state }) => id === name && state.t !== "gone"),
  );
  if (found.length > 1) throw new RequestFault(400, "several pools have a replica of that name: give pool");
  if (!found[0]) throw new RequestFault(404, "no such replica");
  return found[0];
}

function profileQuery(page: string, parameters: Readonly<Partial<Record<string, string>>>): string {
  const given = Object.entries(parameters);
  if (given.length === 0) return "";
  if (!page.startsWith("debug/pprof/")) throw new RequestFault(400, "that page takes no parameters");
  for (const [name, text = ""] of given) {
    if (/^\d{1,2}$/.test(text) && (name !== "seconds" || Number(text) <= MAX_SECONDS)) continue;
    throw new RequestFault(400, `${name} must be a number, seconds at most ${MAX_SECONDS}`);
  }
  return `?${new URLSearchParams(parameters as Record<string, string>)}`;
}

async function passOn(
  message: IncomingMessage,
  response: ServerResponse,
  target: { readonly host: string; readonly port: number; readonly path: string },
): Promise<void> {
  const timer = AbortSignal.timeout(TIMEOUT_MS);
  try {
    await http2Proxy.web(message, response, {
      hostname: target.host,
      port: target.port,
      onReq: async () =>
        httpRequest({
          ...target,
          method: message.method === "HEAD" ? "HEAD" : "GET",
          headers: { accept: "text/plain, */*;q=0.5", "accept-encoding": "identity" },
          agent: false,
          signal: timer,
        }),
      onRes: async (_request, _response, answer) => copyAnswer(answer as unknown as IncomingMessage, response),
    });
  } catch (reason) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (reason instanceof RequestFault) throw reason;
    throw new RequestFault(502, `the replica's debug port does not answer: ${codeOf(reason)}`);
  }
}

async function copyAnswer(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  const { statusCode, headers } = answer;
  if (statusCode !== 200) throw new RequestFault(502, `the replica answers ${statusCode}`);
  if (headers["content-encoding"] !== undefined) throw new RequestFault(502, "the replica answers with an encoding");
  const type = headers["content-type"] ?? "text/plain; charset=utf-8";
  response.writeHead(200, { ...HEADERS, "content-type": type });
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`answer larger than ${MAX_ANSWER_BYTES} bytes`);
    if (!response.write(chunk)) await drained(response);
    if (response.destroyed) return;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function codeOf(reason: unknown): string {
  const { code, name } = reason as NodeJS.ErrnoException;
  return code ?? name;
}
