import { TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../../src/base/log.ts";
import { SpanBatches } from "../../../src/traces/span-batches.ts";
import { FakeClock } from "../../support/fake-clock.ts";

type Done = Parameters<SpanExporter["export"]>[1];

/** A collector whose answers a test gives. */
class ScriptedExporter implements SpanExporter {
  readonly batches: number[] = [];
  readonly open: Done[] = [];
  isClosed = false;

  export(spans: ReadableSpan[], done: Done): void {
    this.batches.push(spans.length);
    this.open.push(done);
  }

  async shutdown(): Promise<void> {
    this.isClosed = true;
  }

  takes(): void {
    this.open.shift()!({ code: 0 });
  }

  refuses(message: string): void {
    this.open.shift()!({ code: 1, error: new Error(message) });
  }
}

let clock: FakeClock;
let exporter: ScriptedExporter;
let lines: Record<string, unknown>[];
let batches: SpanBatches;

beforeEach(() => {
  clock = new FakeClock();
  exporter = new ScriptedExporter();
  lines = [];
  const log = createLog("info", { write: (line) => lines.push(JSON.parse(line)) });
  batches = new SpanBatches({ exporter, clock, log, maxSpans: 1_000, timeoutMs: 5_000 });
});

function endSpans(count: number, traceFlags: TraceFlags = TraceFlags.SAMPLED): void {
  for (let index = 0; index < count; index++) {
    batches.onEnd({ spanContext: () => ({ traceId: "t", spanId: "s", traceFlags }) } as ReadableSpan);
  }
}

describe("spans are sent", () => {
  test("together with those of the next second", () => {
    endSpans(3);
    clock.advance(999);
    endSpans(2);
    expect(exporter.batches).toEqual([]);
    clock.advance(1);
    expect(exporter.batches).toEqual([5]);
    exporter.takes();
    expect(batches.census()).toEqual({ exported: 5, dropped: 0 });
    expect(clock.delaysMs).toEqual([]);
  });

  test("some at a time, and none while others are on their way", () => {
    endSpans(600);
    clock.advance(6_999);
    expect(exporter.batches).toEqual([512]);
  });

  test("the rest a second after the first were taken", () => {
    endSpans(600);
    clock.advance(1_000);
    exporter.takes();
    clock.advance(1_000);
    expect(exporter.batches).toEqual([512, 88]);
  });

  test("only where their traces are sampled", () => {
    endSpans(3, TraceFlags.NONE);
    expect(clock.delaysMs).toEqual([]);
  });
});

describe("spans are dropped, and counted", () => {
  test("where more wait than may", () => {
    endSpans(1_003);
    expect(batches.census()).toEqual({ exported: 0, dropped: 3 });
    expect(lines).toMatchObject([
      { msg: "trace spans dropped", spans: 1, reason: "1000 spans wait (traces.queueSpans)" },
    ]);
  });

  test("where the collector refuses them, and others are sent after a second", () => {
    endSpans(2);
    clock.advance(1_000);
    exporter.refuses("connect ECONNREFUSED 10.0.0.9:4318");
    expect(batches.census()).toEqual({ exported: 0, dropped: 2 });
    expect(lines).toMatchObject([{ spans: 2, reason: "connect ECONNREFUSED 10.0.0.9:4318" }]);
    endSpans(1);
    clock.advance(1_000);
    exporter.takes();
    expect(batches.census()).toEqual({ exported: 1, dropped: 2 });
  });

  test("where the exporter hangs beyond its own time; what it says later does not count", () => {
    endSpans(2);
    clock.advance(1_000);
    clock.advance(6_000);
    expect(batches.census()).toEqual({ exported: 0, dropped: 2 });
    exporter.takes();
    expect(batches.census()).toEqual({ exported: 0, dropped: 2 });
    endSpans(1);
    clock.advance(1_000);
    expect(exporter.batches).toEqual([2, 1]);
  });

  test("where the exporter throws", () => {
    exporter.export = () => {
      throw new Error("a defect");
    };
    endSpans(2);
    clock.advance(1_000);
    expect(batches.census()).toEqual({ exported: 0, dropped: 2 });
    expect(lines).toMatchObject([{ reason: "a defect" }]);
  });

  test("and logged once a minute, with how many there were", () => {
    for (let round = 0; round < 61; round++) {
      endSpans(1);
      clock.advance(1_000);
      exporter.refuses("no");
    }
    expect(lines).toMatchObject([{ spans: 1 }, { spans: 60 }]);
  });
});

describe("at the end", () => {
  test("what waits is sent at once, all of it, before the exporter is closed", async () => {
    endSpans(600);
    const ended = batches.shutdown();
    exporter.takes();
    expect(exporter.isClosed).toBe(false);
    exporter.takes();
    await ended;
    expect(exporter.batches).toEqual([512, 88]);
    expect(exporter.isClosed).toBe(true);
    expect(clock.delaysMs).toEqual([]);
  });

  test("what comes later is dropped", async () => {
    await batches.shutdown();
    endSpans(1);
    expect(batches.census()).toEqual({ exported: 0, dropped: 1 });
    expect(clock.delaysMs).toEqual([]);
  });
});
