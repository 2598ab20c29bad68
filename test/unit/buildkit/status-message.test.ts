import { expect, test } from "vitest";
import { lineMessage, statusMessage } from "../../../src/buildkit/status-message.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";

const VERTEX = {
  digest: `sha256:${"0".repeat(64)}`,
  name: "[gateway] waiting",
  startedAt: new Date(1_700_000_001_250),
};

test("a step that goes on has a beginning and no end, and its line has its own time", () => {
  const line = { text: "position 1 of 1", at: new Date(1_700_000_002_000) };
  expect(controlRpcs.Status.responseDeserialize(statusMessage(VERTEX, line))).toMatchObject({
    vertexes: [
      {
        digest: VERTEX.digest,
        name: "[gateway] waiting",
        inputs: [],
        cached: false,
        started: { seconds: "1700000001", nanos: 250_000_000 },
        completed: null,
        error: "",
      },
    ],
    statuses: [],
    logs: [
      {
        vertex: VERTEX.digest,
        timestamp: { seconds: "1700000002", nanos: 0 },
        stream: "1",
        msg: Buffer.from("position 1 of 1\n"),
      },
    ],
    warnings: [],
  });
});

test("a step that has ended says when, and why it failed", () => {
  const message = statusMessage(
    { ...VERTEX, completedAt: new Date(1_700_000_003_000), error: "queue full" },
    undefined,
  );
  const { vertexes, logs } = controlRpcs.Status.responseDeserialize(message);
  expect(vertexes).toMatchObject([{ completed: { seconds: "1700000003", nanos: 0 }, error: "queue full" }]);
  expect(logs).toEqual([]);
});

test("a further line comes without its step", () => {
  const message = lineMessage(VERTEX.digest, { text: "position 1 of 1", at: new Date(0) });
  const { vertexes, logs } = controlRpcs.Status.responseDeserialize(message);
  expect(vertexes).toEqual([]);
  expect(logs).toMatchObject([{ vertex: VERTEX.digest, msg: Buffer.from("position 1 of 1\n") }]);
});
