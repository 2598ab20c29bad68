import { describe, expect, test } from "vitest";
import { readHistoryEvent } from "../../../src/buildkit/history-event.ts";
import { type BuildHistoryEvent, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";

function encode(event: BuildHistoryEvent): Buffer {
  return controlRpcs.ListenBuildHistory.responseSerialize(event);
}

/** A length-delimited field, for what no encoder writes. */
function field(number: number, bytes: Buffer): Buffer {
  expect(bytes.length).toBeLessThan(128);
  return Buffer.concat([Buffer.of(number * 8 + 2, bytes.length), bytes]);
}

describe("an event of a build's history", () => {
  test("is read with what says where the build's cache is", () => {
    const bytes = encode({
      type: "COMPLETE",
      record: {
        Ref: "build-1",
        FrontendAttrs: { "vcs:source": "git@github.com:acme/app.git", "build-arg:TOKEN": "secret", context: "." },
        Exporters: [
          { Type: "image", Attrs: { name: "harbor/acme/app:1,harbor/acme/app:2", push: "true" } },
          { Type: "local", Attrs: {} },
        ],
        CreatedAt: { seconds: 1_000, nanos: 5_999_999 },
        CompletedAt: { seconds: 1_060, nanos: 0 },
        Generation: 3,
        numCachedSteps: 2,
        numTotalSteps: 5,
        numCompletedSteps: 4,
      },
    });
    expect(readHistoryEvent(bytes)).toEqual({
      t: "complete",
      buildRef: "build-1",
      createdAtMs: 1_000_005,
      completedAtMs: 1_060_000,
      generation: 3,
      isSuccess: true,
      attrs: new Map([
        ["vcs:source", "git@github.com:acme/app.git"],
        ["context", "."],
      ]),
      imageNames: ["harbor/acme/app:1,harbor/acme/app:2"],
      steps: { cached: 2, completed: 4, total: 5 },
    });
  });

  test.each([
    ["STARTED", "started"],
    ["DELETED", "deleted"],
  ] as const)("%s is told apart", (type, t) => {
    expect(readHistoryEvent(encode({ type, record: { Ref: "r" } }))).toMatchObject({ t, buildRef: "r" });
  });

  test("with an error is no success", () => {
    const bytes = encode({ type: "COMPLETE", record: { Ref: "r", error: Buffer.of(8, 2) } });
    expect(readHistoryEvent(bytes)).toMatchObject({ t: "complete", isSuccess: false });
  });

  test("without a build, or of a kind that is not known, is none", () => {
    expect(readHistoryEvent(Buffer.alloc(0))).toBeUndefined();
    expect(readHistoryEvent(encode({ type: "COMPLETE", record: null }))).toBeUndefined();
    expect(readHistoryEvent(encode({ type: "COMPLETE", record: { Ref: "" } }))).toBeUndefined();
    const unknown = Buffer.concat([Buffer.of(8, 7), field(2, field(1, Buffer.from("r")))]);
    expect(readHistoryEvent(unknown)).toBeUndefined();
  });

  test("keeps its build where a client's options cannot be read", () => {
    const attr = Buffer.concat([field(1, Buffer.from("context")), field(2, Buffer.of(0xff, 0xfe))]);
    const record = Buffer.concat([field(1, Buffer.from("r")), field(3, attr)]);
    const bytes = Buffer.concat([Buffer.of(8, 1), field(2, record)]);
    expect(readHistoryEvent(bytes)).toMatchObject({ t: "complete", buildRef: "r", isSuccess: false });
  });

  test("keeps its build where its options are more than anybody reads", () => {
    const options = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`build-arg:${index}`, "x"]));
    const bytes = encode({ type: "COMPLETE", record: { Ref: "r", FrontendAttrs: options } });
    expect(readHistoryEvent(bytes)).toMatchObject({ t: "complete", buildRef: "r", isSuccess: false });
  });

  test.each([
    ["before the epoch", -1],
    ["after the year 9999", 253_402_300_800],
  ])("with a time %s names none", (_when, seconds) => {
    const bytes = encode({ type: "COMPLETE", record: { Ref: "r", CompletedAt: { seconds, nanos: 0 } } });
    expect(readHistoryEvent(bytes)).toMatchObject({ buildRef: "r", completedAtMs: 0 });
  });

  test("that is cut short is what could be read of it", () => {
    const bytes = encode({ type: "COMPLETE", record: { Ref: "build", CreatedAt: { seconds: 1, nanos: 0 } } });
    for (let length = 0; length < bytes.length; length++) {
      const event = readHistoryEvent(bytes.subarray(0, length));
      if (event) expect(event.buildRef).toBe("build");
    }
  });
});
