import type { ServiceError } from "@grpc/grpc-js";
import { type HistoryEvent, readHistoryEvent } from "../buildkit/history-event.ts";
import { readRecordDigests } from "../buildkit/record-digests.ts";
import { controlRpcs } from "../buildkit/wire-contracts.ts";
import type { MissingReplica } from "../replicas/replica-survey.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut, type Part, type PartEnd } from "./fan-out.ts";
import type { HistoryRequest } from "./history-request.ts";
import { firstRefusal, missingOf } from "./part-outcomes.ts";

/** What a question about one build is answered with. */
export interface BuildRecordOptions extends ControlOptions {
  /** Hears of each event that is sent to the client. */
  readonly onSent?: (replicaId: string, event: HistoryEvent) => void;
  /** Called when all are asked. May throw. */
  readonly onAsked?: (fanOut: FanOut) => void;
}

/** What one replica has of a build. Small: a record or two. */
interface PartRecords {
  readonly part: Part;
  readonly messages: readonly Buffer[];
  readonly end: PartEnd;
}

/**
 * Send the client what is recorded of one build. Those who are known to have it
 * are asked alone, over connections that are there: a client waits for this at
 * the end of its build. Where nobody is known, all are asked, and the first that
 * has it answers. Returns the replicas whose parts are missing: none where the
 * build was found. Throws a replica's ServiceError.
 */
export async function sendBuildRecord(
  request: HistoryRequest,
  answer: AnswerStream,
  options: BuildRecordOptions,
): Promise<readonly MissingReplica[]> {
  const holders = options.fleet.holdersOf(request.buildRef);
  if (holders.length > 0) {
    const known = await askReplicas(request, answer, options, holders);
    if (known.isFound) return [];
    if (known.refusal) throw known.refusal;
  }
  const all = await askReplicas(request, answer, options, undefined);
  if (all.isFound) return [];
  if (all.refusal) throw all.refusal;
  return all.missing;
}

interface RecordOutcome {
  readonly isFound: boolean;
  readonly refusal: ServiceError | undefined;
  readonly missing: readonly MissingReplica[];
}

async function askReplicas(
  request: HistoryRequest,
  answer: AnswerStream,
  options: BuildRecordOptions,
  only: readonly string[] | undefined,
): Promise<RecordOutcome> {
  const { fleet, clock } = options;
  const fanOut = new FanOut({ fleet, clock, signal: answer.signal, connections: "shared", ...(only && { only }) });
  try {
    if (!only) options.onAsked?.(fanOut);
    const asked = fanOut.parts.map((part) => readRecords(part, request, options));
    // Whoever is known to have it says all; of all others the first will do, since one that hangs must not be waited for.
    const found = only ? (await Promise.all(asked)).filter(hasRecords) : await firstWithRecords(asked);
    for (const { part, messages } of found) await send(part, messages, answer, options);
    if (found.length > 0) return { isFound: true, refusal: undefined, missing: [] };
    const ends = (await Promise.all(asked)).map(({ end }) => end);
    return { isFound: false, refusal: firstRefusal(ends), missing: [...fanOut.missing, ...missingOf(ends)] };
  } finally {
    fanOut.close();
  }
}

/** All that the replica has is looked through; see {@link HistoryRequest.listing}. */
async function readRecords(
  part: Part,
  { listing, buildRef }: HistoryRequest,
  { timeoutMs }: BuildRecordOptions,
): Promise<PartRecords> {
  const stream = part.stream(controlRpcs.ListenBuildHistory, listing, timeoutMs);
  const messages: Buffer[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { part, messages, end: next.value };
    const event = readHistoryEvent(next.value);
    if (event?.buildRef !== buildRef) continue;
    messages.push(next.value);
    if (event.t !== "complete") continue;
    // Nothing follows it.
    await stream.return({ t: "ended" });
    return { part, messages, end: { t: "ended" } };
  }
}

function hasRecords({ messages }: PartRecords): boolean {
  return messages.length > 0;
}

async function firstWithRecords(asked: readonly Promise<PartRecords>[]): Promise<PartRecords[]> {
  try {
    return [
      await Promise.any(
        asked.map(async (asking) => {
          const records = await asking;
          if (hasRecords(records)) return records;
          throw new Error("not here");
        }),
      ),
    ];
  } catch {
    return [];
  }
}

async function send(
  part: Part,
  messages: readonly Buffer[],
  answer: AnswerStream,
  { owners, onSent }: BuildRecordOptions,
): Promise<void> {
  for (const message of messages) {
    owners.learn(part.id, readRecordDigests(message));
    const event = readHistoryEvent(message);
    if (event) onSent?.(part.id, event);
    await answer.write(message);
  }
}
