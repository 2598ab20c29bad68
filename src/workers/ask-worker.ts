import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { RequestFault } from "../admin/routes.ts";
import { errorText } from "../base/system-error.ts";

/** A worker that can be asked what an admin port is asked. */
export interface AskedWorker {
  readonly worker: number;
  /** Which of all processes that have been started it is. */
  readonly life: number;
  /** Its unix socket, which only this process' user can open. */
  readonly path: string;
}

/** What one worker is asked. */
export interface WorkerQuestion {
  /** Default GET. */
  readonly method?: string;
  /** With its query. */
  readonly target: string;
  /** For the whole answer. Default 5,000. */
  readonly timeoutMs?: number;
  /** Nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What one worker said. */
export interface WorkerAnswer {
  readonly worker: number;
  readonly life: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

const TIMEOUT_MS = 5_000;

/** The largest honest answer is the metrics of 200 replicas. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/** The headers of an answer that say what it is. */
const KEPT_HEADERS = ["content-type", "cache-control", "content-security-policy", "x-content-type-options", "allow"];

/** Ask a worker. Rejects with a {@link RequestFault} of 503 that names it where it does not answer. */
export async function askWorker(asked: AskedWorker, question: WorkerQuestion): Promise<WorkerAnswer> {
  try {
    const answer = await begin(asked, question);
    const { worker, life } = asked;
    return { worker, life, status: answer.statusCode!, headers: keptHeaders(answer), text: await read(answer) };
  } catch (reason) {
    throw faultOf(asked, reason);
  }
}

/** Ask a worker and hand its answer on as it comes. Rejects as {@link askWorker} does while nothing has been answered. */
export async function passOnTo(asked: AskedWorker, question: WorkerQuestion, response: ServerResponse): Promise<void> {
  try {
    const answer = await begin(asked, question);
    response.writeHead(answer.statusCode!, keptHeaders(answer));
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (response.destroyed) return;
      if (!response.write(chunk))
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
    }
    response.end();
  } catch (reason) {
    if (response.headersSent) response.destroy();
    else throw faultOf(asked, reason);
  }
}

function begin(
  { path: socketPath }: AskedWorker,
  { method = "GET", target, timeoutMs = TIMEOUT_MS, signal }: WorkerQuestion,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const request = httpRequest({ socketPath, method, path: target, agent: false, signal: bound });
    request.on("error", reject);
    request.on("response", resolve);
    request.end();
  });
}

async function read(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error(`answer larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8").trimEnd();
}

function keptHeaders({ headers }: IncomingMessage): Record<string, string> {
  const kept = KEPT_HEADERS.map((name) => [name, headers[name]] as const);
  return Object.fromEntries(kept.filter((pair): pair is [string, string] => typeof pair[1] === "string"));
}

function faultOf({ worker }: AskedWorker, reason: unknown): RequestFault {
  const isLate = (reason as Error).name === "AbortError" || (reason as Error).name === "TimeoutError";
  return new RequestFault(503, `worker ${worker} does not answer${isLate ? " in time" : `: ${errorText(reason)}`}`);
}
