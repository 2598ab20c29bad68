import { GatewayError } from "../base/errors.ts";
import type { HistoryEvent } from "../buildkit/history-event.ts";
import type { HistoryNews } from "../replicas/history-follower.ts";
import type { AnswerStream } from "./answer-stream.ts";
import { sendBuildRecord } from "./build-record.ts";
import type { ControlOptions } from "./control-options.ts";
import type { HistoryRequest } from "./history-request.ts";
import { listHistory } from "./list-history.ts";
import { ToldBuilds } from "./told-builds.ts";

/** News that may wait for a client that does not read. */
const MAX_WAITING_BYTES = 4 * 2 ** 20;

/**
 * Send the client what there is, then all that happens, until it wants no more.
 *
 * What happens comes from the histories that the fleet follows anyway, however
 * many clients there are. Replicas that are lost or return, come or go, are no
 * end of it; what cannot be asked at first is left out. Throws
 * GatewayError(limit_exceeded) where the client reads too slowly.
 */
export async function followHistory(
  request: HistoryRequest,
  answer: AnswerStream,
  options: ControlOptions,
): Promise<void> {
  const told = new ToldBuilds();
  const news = new WaitingNews();
  const cancel = options.fleet.onNews((replicaId, { event, message }: HistoryNews) => {
    if (request.buildRef === "" || request.buildRef === event.buildRef) news.add({ replicaId, event, message });
  });
  answer.signal.addEventListener("abort", () => news.end());
  if (answer.signal.aborted) news.end();
  try {
    const onSent = (replicaId: string, event: HistoryEvent) => void told.isNews(replicaId, event);
    if (request.buildRef !== "") await sendBuildRecord(request, answer, { ...options, onSent });
    else await listHistory(request, answer, { ...options, onSent, onAsked: () => {} });
    for (;;) {
      const next = await news.next();
      if (!next) return;
      if (told.isNews(next.replicaId, next.event)) await answer.write(next.message);
    }
  } finally {
    cancel();
  }
}

interface ReplicaNews extends HistoryNews {
  readonly replicaId: string;
}

/** News that a client has yet to read. Bounded. */
class WaitingNews {
  #waiting: ReplicaNews[] = [];
  #bytes = 0;
  #state: "open" | "over" | "ended" = "open";
  #wake: () => void = () => {};

  add(news: ReplicaNews): void {
    if (this.#state !== "open") return;
    this.#waiting.push(news);
    this.#bytes += news.message.length;
    if (this.#bytes > MAX_WAITING_BYTES) {
      this.#state = "over";
      this.#waiting = [];
    }
    this.#wake();
  }

  end(): void {
    this.#state = "ended";
    this.#waiting = [];
    this.#wake();
  }

  /** Resolves with the next, or with nothing once the client is gone. */
  async next(): Promise<ReplicaNews | undefined> {
    for (;;) {
      if (this.#state === "ended") return undefined;
      if (this.#state === "over") {
        const text = `history is not read: more than ${MAX_WAITING_BYTES} bytes of it wait`;
        throw new GatewayError("limit_exceeded", text);
      }
      const next = this.#waiting.shift();
      if (next) {
        this.#bytes -= next.message.length;
        return next;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
