import type { ServerResponse } from "node:http";
import { type AdminRequest, RequestFault } from "../admin/routes.ts";
import { type AskedWorker, askWorker, passOnTo, type WorkerAnswer, type WorkerQuestion } from "./ask-worker.ts";

/** What any worker may be asked about: a profile of a replica runs for a minute. */
const PASS_ON_TIMEOUT_MS = 75_000;

/** The workers that live, as the admin port asks them. */
export class CrewAnswers {
  readonly #living: () => readonly AskedWorker[];

  /** `living`: those to ask now. */
  constructor(living: () => readonly AskedWorker[]) {
    this.#living = living;
  }

  /** Ask all. Rejects with a {@link RequestFault} where none lives, or one does not answer. */
  async ask(question: WorkerQuestion): Promise<readonly [WorkerAnswer, ...WorkerAnswer[]]> {
    const [first, ...others] = this.#atLeastOne();
    return await Promise.all([askWorker(first, question), ...others.map((worker) => askWorker(worker, question))]);
  }

  /** Ask one of them what all of them know. */
  askAny(question: WorkerQuestion): Promise<WorkerAnswer> {
    return askWorker(this.#atLeastOne()[0], question);
  }

  /** Ask all for JSON of status 200, or of `statuses`; another status is passed on as a {@link RequestFault}. */
  async askJson<T>(
    question: WorkerQuestion,
    statuses: readonly number[] = [200],
  ): Promise<readonly [JsonAnswer<T>, ...JsonAnswer<T>[]]> {
    const [first, ...others] = await this.ask(question);
    const read = (answer: WorkerAnswer): JsonAnswer<T> => {
      if (!statuses.includes(answer.status)) throw faultOf(answer);
      return { worker: answer.worker, status: answer.status, body: JSON.parse(answer.text) as T };
    };
    return [read(first), ...others.map(read)];
  }

  /** Hand a request on to one of them as it is, since all know the same. */
  passOn({ method, message, signal }: AdminRequest, response: ServerResponse): Promise<void> {
    const question = { method, target: message.url ?? "", timeoutMs: PASS_ON_TIMEOUT_MS, signal };
    return passOnTo(this.#atLeastOne()[0], question, response);
  }

  /** Whether the process that has answered still lives. */
  isLiving({ life }: WorkerAnswer): boolean {
    return this.#living().some((worker) => worker.life === life);
  }

  #atLeastOne(): readonly [AskedWorker, ...AskedWorker[]] {
    const [first, ...others] = this.#living();
    if (!first) throw new RequestFault(503, "no worker serves");
    return [first, ...others];
  }
}

/** What a worker said in JSON. */
export interface JsonAnswer<T> {
  readonly worker: number;
  readonly status: number;
  readonly body: T;
}

/** The path and query of a request, as it is passed on. */
export function targetOf({ message }: AdminRequest): string {
  return message.url ?? "";
}

/** A worker's refusal as our own. */
export function faultOf({ worker, status, text }: WorkerAnswer): RequestFault {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return new RequestFault(status, error);
  } catch {
    // It is no JSON: a text for people.
  }
  return new RequestFault(status, `worker ${worker}: ${text}`);
}
