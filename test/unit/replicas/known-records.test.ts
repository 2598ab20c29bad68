import { expect, test } from "vitest";
import type { HistoryEvent } from "../../../src/buildkit/history-event.ts";
import { KnownRecords } from "../../../src/replicas/known-records.ts";

function event(t: HistoryEvent["t"], buildRef: string, parts: Partial<HistoryEvent> = {}): HistoryEvent {
  return {
    t,
    buildRef,
    createdAtMs: 1,
    completedAtMs: 0,
    generation: 0,
    isSuccess: true,
    attrs: new Map(),
    imageNames: [],
    steps: { cached: 0, completed: 0, total: 0 },
    ...parts,
  };
}

test("what had ended before it was followed is not news, what ends afterwards is", () => {
  const records = new KnownRecords();
  records.followed(1_000);
  expect(records.isNews(event("complete", "old", { completedAtMs: 999 }))).toBe(false);
  expect(records.isNews(event("complete", "new", { completedAtMs: 1_000 }))).toBe(true);
  expect(records.has("old")).toBe(true);
});

test("what is listed again is not news; what has changed is", () => {
  const records = new KnownRecords();
  records.followed(0);
  expect(records.isNews(event("started", "r"))).toBe(true);
  expect(records.isNews(event("started", "r"))).toBe(false);
  expect(records.isNews(event("complete", "r", { completedAtMs: 5 }))).toBe(true);
  expect(records.isNews(event("complete", "r", { completedAtMs: 5 }))).toBe(false);
  expect(records.isNews(event("complete", "r", { completedAtMs: 5, generation: 1 }))).toBe(true);
  expect(records.isNews(event("started", "r"))).toBe(false);
});

test("the deletion of what was never there is not news", () => {
  const records = new KnownRecords();
  records.followed(0);
  expect(records.isNews(event("deleted", "r"))).toBe(false);
  records.isNews(event("started", "r"));
  expect(records.isNews(event("deleted", "r"))).toBe(true);
  expect(records.has("r")).toBe(false);
});

test("what was forgotten for want of room is not news again", () => {
  const records = new KnownRecords();
  records.followed(0);
  for (let build = 0; build < 5_000; build++) {
    expect(records.isNews(event("complete", `${build}`, { completedAtMs: build + 1 }))).toBe(true);
  }
  expect(records.has("0")).toBe(false);
  expect(records.isNews(event("complete", "0", { completedAtMs: 1 }))).toBe(false);
});

test("a ref of absurd length is not remembered", () => {
  const records = new KnownRecords();
  records.followed(0);
  expect(records.isNews(event("started", "x".repeat(1_000)))).toBe(false);
  expect(records.has("x".repeat(1_000))).toBe(false);
});

test("another daemon's history begins anew", () => {
  const records = new KnownRecords();
  records.followed(0);
  records.isNews(event("started", "r"));
  records.forget();
  records.followed(1_000);
  expect(records.has("r")).toBe(false);
  expect(records.isNews(event("complete", "s", { completedAtMs: 500 }))).toBe(false);
});
