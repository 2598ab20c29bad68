import { TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Cancel, Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";

/** Time that spans wait for others to be sent with. */
const DELAY_MS = 1_000;

/** Spans that are sent at once. */
const MAX_BATCH_SPANS = 512;

/** What the exporter has beyond its own time before it is taken to hang. */
const HANGING_AFTER_MS = 1_000;

/** Time between two log lines about spans that were dropped. */
const COMPLAIN_EVERY_MS = 60_000;

/** What batches are made with. */
export interface SpanBatchesOptions {
  readonly exporter: SpanExporter;
  readonly clock: Clock;
  readonly log: Logger;
  /** Spans that may wait; one more is dropped. */
  readonly maxSpans: number;
  /** Time that the exporter keeps to, by its own account. */
  readonly timeoutMs: number;
}

/** How many spans were sent, and how many were not. */
export interface SpanCensus {
  readonly exported: number;
  readonly dropped: number;
}

/**
 * Hands ended spans to an exporter, some at a time and one time after the other.
 * Whatever the exporter does, nobody waits for it: what it does not take in time,
 * and what there is no room for meanwhile, is dropped, counted, and logged once a
 * minute.
 *
 * In place of the SDK's own, which does not tell how many it has dropped.
 */
export class SpanBatches implements SpanProcessor {
  readonly #options: SpanBatchesOptions;
  readonly #waiting: ReadableSpan[] = [];
  readonly #onIdle = new Set<() => void>();
  /** The export that is open. */
  #sending: { readonly cancelTimeout: Cancel } | undefined;
  #cancelTimer: Cancel | undefined;
  #isClosed = false;
  #exported = 0;
  #dropped = 0;
  #complaint: { untold: number; lastMs: number } = { untold: 0, lastMs: Number.NEGATIVE_INFINITY };

  constructor(options: SpanBatchesOptions) {
    this.#options = options;
  }

  /** How it has gone so far. */
  census(): SpanCensus {
    return { exported: this.#exported, dropped: this.#dropped };
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    const { maxSpans } = this.#options;
    if (this.#isClosed) this.#drop(1, "the gateway is ending");
    else if (this.#waiting.length >= maxSpans) this.#drop(1, `${maxSpans} spans wait (traces.queueSpans)`);
    else this.#waiting.push(span);
    this.#sendLater();
  }

  /** Send what waits; resolves when all has been sent, or dropped. */
  forceFlush(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#sending) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle.add(resolve);
      this.#send();
    });
  }

  /** Take no more spans, send what waits, and close the exporter. */
  async shutdown(): Promise<void> {
    this.#isClosed = true;
    await this.forceFlush();
    this.#cancelTimer?.();
    await this.#options.exporter.shutdown();
  }

  #sendLater(): void {
    if (this.#sending || this.#cancelTimer || this.#waiting.length === 0) return;
    this.#cancelTimer = this.#options.clock.after(DELAY_MS, () => this.#send());
  }

  #send(): void {
    if (this.#sending || this.#waiting.length === 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { exporter, clock, timeoutMs } = this.#options;
    const batch = this.#waiting.splice(0, MAX_BATCH_SPANS);
    const settle = (failure: string | undefined): void => {
      if (this.#sending !== sending) return;
      sending.cancelTimeout();
      this.#sending = undefined;
      this.#settled(batch.length, failure);
    };
    const cancelTimeout = clock.after(timeoutMs + HANGING_AFTER_MS, () => settle("the exporter does not end"));
    const sending = { cancelTimeout };
    this.#sending = sending;
    try {
      // Code 0 is success (@opentelemetry/core, ExportResultCode).
      exporter.export(batch, ({ code, error }) => settle(code === 0 ? undefined : (error?.message ?? "failed")));
    } catch (error) {
      settle(error instanceof Error ? error.message : String(error));
    }
  }

  #settled(spans: number, failure: string | undefined): void {
    if (failure === undefined) this.#exported += spans;
    else this.#drop(spans, failure);
    if (this.#waiting.length === 0) {
      for (const resolve of this.#onIdle) resolve();
      this.#onIdle.clear();
    } else if (this.#onIdle.size > 0) this.#send();
    else this.#sendLater();
  }

  #drop(spans: number, reason: string): void {
    const { clock, log } = this.#options;
    this.#dropped += spans;
    this.#complaint.untold += spans;
    const nowMs = clock.nowMs();
    if (nowMs - this.#complaint.lastMs < COMPLAIN_EVERY_MS) return;
    log.warn({ spans: this.#complaint.untold, reason }, "trace spans dropped");
    this.#complaint = { untold: 0, lastMs: nowMs };
  }
}
