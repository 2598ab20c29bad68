import { type HistoryEvent, readHistoryEvent } from "../buildkit/history-event.ts";
import { readRecordDigests } from "../buildkit/record-digests.ts";
import { controlRpcs } from "../buildkit/wire-contracts.ts";
import type { MissingReplica } from "../replicas/replica-survey.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut, type Part, type PartEnd } from "./fan-out.ts";
import type { HistoryRequest } from "./history-request.ts";
import { NewestRecords } from "./newest-records.ts";
import { firstRefusal, missingOf } from "./part-outcomes.ts";

/** What a list of builds is made with. */
export interface ListHistoryOptions extends ControlOptions {
  /** Hears of each event that is sent to the client. */
  readonly onSent?: (replicaId: string, event: HistoryEvent) => void;
  /** Called before anything is sent. May throw. */
  readonly onAsked: (fanOut: FanOut) => void;
}

/**
 * Send the client what the histories of all replicas hold: running builds
 * first, then completed ones, with a limit the newest of all. Messages go as
 * they came. Returns the replicas whose parts are missing after all. Throws a
 * replica's ServiceError, or GatewayError.
 */
export async function listHistory(
  request: HistoryRequest,
  answer: AnswerStream,
  options: ListHistoryOptions,
): Promise<readonly MissingReplica[]> {
  const { fleet, clock } = options;
  const fanOut = new FanOut({ fleet, clock, signal: answer.signal, connections: "own" });
  try {
    options.onAsked(fanOut);
    const ends = await listParts(fanOut.parts, request, answer, options);
    const refusal = firstRefusal(ends);
    if (refusal) throw refusal;
    return [...fanOut.missing, ...missingOf(ends)];
  } finally {
    fanOut.close();
  }
}

async function listParts(
  parts: readonly Part[],
  { listing, limit }: HistoryRequest,
  answer: AnswerStream,
  options: ListHistoryOptions,
): Promise<PartEnd[]> {
  const lists = parts.map(
    (part) => new PartList(part, part.stream(controlRpcs.ListenBuildHistory, listing, options.timeoutMs), options),
  );
  await Promise.all(lists.map((list) => list.sendRunning(answer)));
  const newest = limit > 0 ? new NewestRecords(limit) : undefined;
  const ends = await Promise.all(lists.map((list) => (newest ? list.gather(newest) : list.sendRest(answer))));
  for (const message of newest?.take() ?? []) await answer.write(message);
  return ends;
}

/** What one replica lists: running builds, then completed ones. */
class PartList {
  readonly #part: Part;
  readonly #messages: AsyncGenerator<Buffer, PartEnd, undefined>;
  readonly #options: ListHistoryOptions;
  /** The first that is not of a running build. */
  #next: IteratorResult<Buffer, PartEnd> | undefined;

  constructor(part: Part, messages: AsyncGenerator<Buffer, PartEnd, undefined>, options: ListHistoryOptions) {
    this.#part = part;
    this.#messages = messages;
    this.#options = options;
  }

  async sendRunning(answer: AnswerStream): Promise<void> {
    for (;;) {
      const next = await this.#messages.next();
      const event = next.done ? undefined : readHistoryEvent(next.value);
      if (next.done || event?.t !== "started") {
        this.#next = next;
        return;
      }
      this.#options.onSent?.(this.#part.id, event);
      await answer.write(next.value);
    }
  }

  async sendRest(answer: AnswerStream): Promise<PartEnd> {
    return await this.#rest(async (message) => await answer.write(message));
  }

  async gather(newest: NewestRecords): Promise<PartEnd> {
    return await this.#rest((message, event) => newest.add(event?.createdAtMs ?? 0, message));
  }

  async #rest(take: (message: Buffer, event: HistoryEvent | undefined) => unknown): Promise<PartEnd> {
    const { owners, onSent } = this.#options;
    for (let next = this.#next!; ; next = await this.#messages.next()) {
      if (next.done) return next.value;
      const event = readHistoryEvent(next.value);
      if (event) onSent?.(this.#part.id, event);
      owners.learn(this.#part.id, readRecordDigests(next.value));
      await take(next.value, event);
    }
  }
}
