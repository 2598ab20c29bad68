import { request as httpRequest, type IncomingMessage } from "node:http";
import { type Address, hostPort } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { printable } from "../base/printable.ts";
import { systemErrorText } from "../base/system-error.ts";

/** What is asked of an admin port. */
export interface AdminQuestion {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Longest time until the whole answer is there. */
  readonly timeoutMs: number;
  readonly token?: string | undefined;
}

/** What an admin port said. */
export interface AdminAnswer {
  readonly status: number;
  /** Read as JSON. */
  readonly body: unknown;
}

/** What an admin port said in words. */
export interface AdminText {
  readonly status: number;
  readonly text: string;
  /** Its clock, as the header of that name has it. */
  readonly date: string | undefined;
}

/** Largest answer that is read. */
const MAX_ANSWER_BYTES = 16 * 2 ** 20;

/** Longest text of somebody else's that is shown. */
const MAX_SHOWN_CHARACTERS = 300;

/** A wait may last hours; what is on the way must not take the connection for dead. */
const TCP_KEEPALIVE_MS = 30_000;

/**
 * Ask the admin port of a gateway.
 *
 * Rejects with an Error of one line where there is no answer in time, or none
 * that is JSON; a status that is no success is an answer.
 */
export async function askAdmin(address: Address, question: AdminQuestion, clock: Clock): Promise<AdminAnswer> {
  const { status, text } = await askAdminText(address, question, clock);
  try {
    return { status, body: JSON.parse(text) };
  } catch (cause) {
    throw new Error(`not an answer of a gateway's admin port: ${status} ${firstLine(text)}`, { cause });
  }
}

/** As {@link askAdmin}, for what answers in words. */
export function askAdminText(address: Address, question: AdminQuestion, clock: Clock): Promise<AdminText> {
  const { method, path, timeoutMs, token } = question;
  const target = address.t === "unix" ? { socketPath: address.path } : { host: address.host, port: address.port };
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...target, method, path, headers, agent: false });
    const cancel = clock.after(timeoutMs, () =>
      request.destroy(new Error(`no answer within ${formatDuration(timeoutMs)}`)),
    );
    const fail = (reason: Error): void => {
      cancel();
      reject(new Error(describe(reason), { cause: reason }));
    };
    request.on("error", fail);
    request.on("socket", (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
    request.on("response", (response) => {
      readAnswer(response).then((answer) => {
        cancel();
        resolve(answer);
      }, fail);
    });
    request.end();
  });
}

/** The address as people write it. */
export function formatAdmin(address: Address): string {
  return address.t === "unix" ? `unix://${address.path}` : hostPort(address.host, address.port);
}

async function readAnswer(response: IncomingMessage): Promise<AdminText> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error(`answer larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  return { status: response.statusCode ?? 0, text, date: response.headers.date };
}

/** Somebody else's text as one line that is fit for a terminal. */
export function firstLine(text: string): string {
  return printable(text.trim().split("\n", 1)[0]!, MAX_SHOWN_CHARACTERS);
}

/** A host with several addresses fails with one error for each; the first says enough. */
function describe(reason: Error): string {
  const first = reason instanceof AggregateError ? (reason.errors[0] as Error) : reason;
  return systemErrorText(first) ?? first.message;
}
