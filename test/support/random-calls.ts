import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import { setImmediate as turn } from "node:timers/promises";
import { bodyOf } from "./raw-http2/send-body.ts";

/** What a call does, on both of its ends. All of it decided beforehand, so that its outcome does not depend on time. */
export interface CallPlan {
  /** Sizes of the pieces that the client writes. */
  readonly request: readonly number[];
  /** Sizes of the pieces that the server writes. */
  readonly response: readonly number[];
  /** When the server begins to answer: at once, or when it has read the request. */
  readonly answers: "at once" | "at the end";
  readonly ends: "with trailers" | "without trailers" | "with trailers only" | "with a reset";
  readonly resetCode: number;
  /** Turns of the event loop that each end waits between two pieces. */
  readonly pauseTurns: number;
}

/** What a client saw of a call, and what the server saw of it. */
export interface CallOutcome {
  readonly status: number | undefined;
  readonly echoed: readonly string[];
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly bodySha: string;
  readonly requestSha: string;
  readonly resetCode: number;
}

/** Settings that a side announces, and changes them to in the middle. */
export interface SidePlan {
  readonly initialWindowSize: number;
  readonly laterWindowSize: number;
  readonly maxFrameSize: number;
  readonly headerTableSize: number;
}

/** One connection's worth of calls. */
export interface ConnectionPlan {
  readonly client: SidePlan;
  readonly server: SidePlan;
  readonly calls: readonly CallPlan[];
}

/** Draw a plan. */
export function drawConnection(random: () => number): ConnectionPlan {
  const pick = <T>(options: readonly T[]): T => options[Math.floor(random() * options.length)]!;
  const side = (): SidePlan => ({
    initialWindowSize: pick([200, 5_000, 16_384, 65_535, 65_536, 1 << 20, 2 ** 31 - 1]),
    laterWindowSize: pick([300, 30_000, 65_535, 1 << 21]),
    maxFrameSize: pick([16_384, 16_385, 100_000, 2 ** 24 - 1]),
    headerTableSize: pick([0, 100, 4_096, 65_536]),
  });
  const client = side();
  const server = side();
  const smallest = Math.min(
    client.initialWindowSize,
    server.initialWindowSize,
    client.laterWindowSize,
    server.laterWindowSize,
  );
  const largestPiece = smallest < 5_000 ? 3_000 : 200_000;
  const pieces = (): number[] =>
    Array.from({ length: Math.floor(random() * 6) }, () => Math.floor(random() ** 3 * largestPiece));
  const call = (): CallPlan => ({
    request: pieces(),
    response: pieces(),
    answers: pick(["at once", "at the end"]),
    ends: pick(["with trailers", "with trailers", "without trailers", "with trailers only", "with a reset"]),
    resetCode: pick([1, 2, 5, 7, 8, 11]),
    pauseTurns: Math.floor(random() * 4),
  });
  return { client, server, calls: Array.from({ length: 1 + Math.floor(random() * 10) }, call) };
}

/** The server's end of all calls: it does what each call's own header asks for. */
export function planServer(side: SidePlan): http2.Http2Server {
  const { laterWindowSize, ...settings } = side;
  const server = http2.createServer({ settings });
  server.on("session", (connection) => {
    connection.on("error", () => {});
    connection.once("stream", () => connection.settings({ initialWindowSize: laterWindowSize }));
  });
  server.on("stream", (stream, headers) => {
    const plan: CallPlan = JSON.parse(String(headers["x-plan"]));
    stream.on("error", () => {});
    serveCall(stream, plan, headers).catch(() => stream.destroy());
  });
  return server;
}

async function serveCall(
  stream: http2.ServerHttp2Stream,
  plan: CallPlan,
  headers: http2.IncomingHttpHeaders,
): Promise<void> {
  const hash = createHash("sha256");
  const read = wholeRequest(stream, plan, hash);
  if (plan.answers === "at the end") await read;
  const isTrailersOnly = plan.ends === "with trailers only";
  const begin = { ":status": 200, "x-echo": headers["x-repeated"], ...(isTrailersOnly && { "grpc-status": "3" }) };
  stream.respond(begin, { waitForTrailers: plan.ends === "with trailers", endStream: isTrailersOnly });
  stream.on("wantTrailers", () => {
    const requestSha = stream.readableEnded ? hash.digest("hex") : "";
    stream.sendTrailers({ "grpc-status": "0", "x-sha": requestSha, "grpc-message": "a%20b" });
  });
  if (isTrailersOnly) return;
  const written = write(stream, plan.response, plan.pauseTurns);
  // What the client has sent is known to the server in every case before it ends the call.
  await read;
  await written;
  if (plan.ends === "with a reset") stream.close(plan.resetCode);
  else stream.end();
}

/**
 * Resolves when the request has been read: to its end, or where the call is to
 * be reset to its last octet, since a stream that has ended both ways can be
 * reset no more.
 */
function wholeRequest(stream: http2.ServerHttp2Stream, plan: CallPlan, hash: Hash): Promise<void> {
  let missing = plan.request.reduce((sum, bytes) => sum + bytes, 0);
  return new Promise((resolve) => {
    const isAll = () => plan.ends === "with a reset" && missing === 0;
    if (isAll()) resolve();
    stream.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      missing -= chunk.length;
      if (isAll()) resolve();
    });
    for (const event of ["end", "close"]) stream.once(event, () => resolve());
  });
}

/** Make the calls of a plan over one connection, all at once. */
export async function makeCalls(url: string, { client, calls }: ConnectionPlan): Promise<CallOutcome[]> {
  const { laterWindowSize, ...settings } = client;
  const connection = http2.connect(url, { settings });
  try {
    const made = calls.map((plan) => makeCall(connection, plan));
    connection.settings({ initialWindowSize: laterWindowSize });
    return await Promise.all(made);
  } finally {
    const closed = once(connection, "close");
    connection.destroy();
    await closed;
  }
}

async function makeCall(connection: http2.ClientHttp2Session, plan: CallPlan): Promise<CallOutcome> {
  const call = connection.request({
    ":method": "POST",
    ":path": "/test.Other/Call",
    "content-type": "application/grpc",
    "x-plan": JSON.stringify(plan),
    "x-repeated": ["one", "two", `three, ${plan.request.length}`],
  });
  const closed = new Promise((resolve) => call.once("close", resolve));
  // A reset is an error to node:http2, and an outcome here.
  call.on("error", () => {});
  const hash = createHash("sha256");
  call.on("data", (chunk: Buffer) => hash.update(chunk));
  let status: number | undefined;
  let echoed: readonly string[] = [];
  let trailers: Record<string, unknown> = {};
  call.on("response", (headers) => {
    status = headers[":status"];
    echoed = [headers["x-echo"] ?? [], headers["grpc-status"] ?? []].flat().map(String);
  });
  call.on("trailers", (headers) => {
    trailers = { ...headers };
  });
  await write(call, plan.request, plan.pauseTurns);
  const isReset = plan.ends === "with a reset";
  if (!isReset) call.end();
  await closed;
  return {
    status,
    echoed,
    trailers,
    // Node lets go of what it has not delivered when a stream is reset.
    bodySha: isReset ? "" : hash.digest("hex"),
    requestSha: String(trailers["x-sha"] ?? ""),
    resetCode: plan.ends === "with trailers only" ? 0 : (call.rstCode ?? 0),
  };
}

/** Resolves when every piece has left this end. */
async function write(stream: http2.Http2Stream, pieces: readonly number[], pauseTurns: number): Promise<void> {
  const left: Promise<unknown>[] = [];
  for (const [i, bytes] of pieces.entries()) {
    if (stream.destroyed) return;
    left.push(new Promise((resolve) => stream.write(bodyOf(i, bytes), resolve)));
    for (let turns = pauseTurns; turns > 0; turns--) await turn();
  }
  await Promise.all(left);
}
