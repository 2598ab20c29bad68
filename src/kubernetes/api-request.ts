import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock } from "../base/clock.ts";
import type { Credentials, KubernetesAccess } from "./access.ts";
import { ApiFailure } from "./api-failure.ts";
import { failureOfAnswer } from "./status-object.ts";

/** One request to an API server. */
export interface ApiRequest {
  readonly method: "GET" | "PATCH" | "POST";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: { readonly contentType: string; readonly text: string };
  /** Ends it, and the reading of its answer. */
  readonly signal: AbortSignal;
}

/** Where requests go. */
export interface ApiServer {
  readonly access: KubernetesAccess;
  readonly clock: Clock;
}

/** Time that the server has to begin an answer, which includes the time to connect and to get credentials. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Time that an answer of known end may take after that. */
const WHOLE_ANSWER_TIMEOUT_MS = 30_000;

/** A connection whose other end has vanished is noticed by TCP after about this long plus ten seconds. */
const KEEP_ALIVE_MS = 15_000;

/** Largest answer that is read of one that failed. */
const MAX_STATUS_BYTES = 64 << 10;

/**
 * Send a request; resolves with an answer of status 200, or 201 where
 * something was created, whose body is still to be read. A 401 is asked again once, with credentials that are read anew.
 *
 * Rejects with {@link ApiFailure}.
 */
export async function sendRequest(server: ApiServer, request: ApiRequest): Promise<IncomingMessage> {
  let response = await attempt(server, request);
  if (response.statusCode === 401) {
    response.destroy();
    server.access.forget();
    response = await attempt(server, request);
  }
  if (response.statusCode === 200 || response.statusCode === 201) return response;
  const text = await readInTime(server, response, MAX_STATUS_BYTES).catch(() => "");
  throw failureOfAnswer(response.statusCode!, parseJson(text) ?? text, response.headers["retry-after"]);
}

/**
 * Send a request and read its whole answer as JSON.
 *
 * Rejects with {@link ApiFailure}, also where the answer is no JSON, is larger
 * than `maxBytes`, or has not ended in time.
 */
export async function requestJson(server: ApiServer, request: ApiRequest, maxBytes: number): Promise<unknown> {
  const value = parseJson(await readInTime(server, await sendRequest(server, request), maxBytes));
  if (value === undefined) throw new ApiFailure("unreadable", "the answer is not JSON");
  return value;
}

async function attempt({ access, clock }: ApiServer, request: ApiRequest): Promise<IncomingMessage> {
  const ending = new AbortController();
  const end = () => ending.abort();
  request.signal.addEventListener("abort", end, { once: true });
  if (request.signal.aborted) end();
  let isOverdue = false;
  const cancel = clock.after(ANSWER_TIMEOUT_MS, () => {
    isOverdue = true;
    end();
  });
  try {
    const credentials = await unlessAborted(access.credentials(), ending.signal);
    const response = await exchange(access.server, request, credentials, ending.signal);
    endWith(request.signal, response);
    return response;
  } catch (cause) {
    const reason = isOverdue ? `no answer after ${ANSWER_TIMEOUT_MS / 1_000}s` : reasonOf(cause);
    throw new ApiFailure("unreachable", `${access.server.host}: ${reason}`, { cause });
  } finally {
    cancel();
    request.signal.removeEventListener("abort", end);
  }
}

/** Resolves with the beginning of the answer; `signal` ends the wait for it. */
function exchange(
  server: URL,
  { method, path, query, body }: ApiRequest,
  { headers, ...credentials }: Credentials,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const url = new URL(server);
    url.pathname = server.pathname.replace(/\/$/, "") + path;
    url.search = new URLSearchParams(query).toString();
    const send = server.protocol === "https:" ? httpsRequest : httpRequest;
    const outgoing = send(url, {
      ...credentials,
      method,
      headers: {
        ...(headers as Record<string, string | string[]>),
        accept: "application/json",
        "user-agent": "buildkit-gateway",
        ...(body && { "content-type": body.contentType, "content-length": Buffer.byteLength(body.text) }),
      },
    });
    const abort = () => outgoing.destroy(new Error("ended"));
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    outgoing.on("socket", (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      signal.removeEventListener("abort", abort);
      resolve(response);
    });
    outgoing.end(body?.text);
  });
}

/** Whoever reads the answer hears of its end by itself. */
function endWith(signal: AbortSignal, response: IncomingMessage): void {
  const end = () => response.destroy(new Error("ended"));
  response.on("error", () => {});
  signal.addEventListener("abort", end, { once: true });
  response.once("close", () => signal.removeEventListener("abort", end));
}

async function readInTime({ clock }: ApiServer, response: IncomingMessage, maxBytes: number): Promise<string> {
  const cancel = clock.after(WHOLE_ANSWER_TIMEOUT_MS, () =>
    response.destroy(new Error(`not complete after ${WHOLE_ANSWER_TIMEOUT_MS / 1_000}s`)),
  );
  try {
    return await readText(response, maxBytes);
  } finally {
    cancel();
  }
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw new ApiFailure("unreadable", `an answer of more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof ApiFailure) throw cause;
    throw new ApiFailure("unreachable", `the answer was cut off: ${reasonOf(cause)}`, { cause });
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("ended")), { once: true });
    promise.then(resolve, reject);
  });
}

/** What went wrong, in one line: errors of several addresses of a host come without a text of their own. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(reasonOf).join(", ");
  const text = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : String(cause);
  const origin = cause instanceof Error && cause.cause instanceof Error ? `: ${reasonOf(cause.cause)}` : "";
  return (text + origin).trim().replace(/\s*\n\s*/g, " ");
}
