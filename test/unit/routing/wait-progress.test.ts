import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import type { Waiting } from "../../../src/routing/placer.ts";
import { describeStatus } from "../../support/shown-status.ts";
import { gatedRig, probe, RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

const FULL = "all 3 replicas are full (4 builds each)";
const THIRD: Waiting = { position: 3, length: 3, cause: FULL };
const SECOND: Waiting = { ...THIRD, position: 2, length: 2 };

/** A build that is held, with its Status open. */
function waitingBuild(progress: "queued" | "always" | "off" = "queued") {
  const { rig, gate } = gatedRig(["a"], { progress });
  const client = new ScriptedClient();
  const status = rig.status(client, "r", "status");
  const call = rig.solve(client, solve("r"), "solve");
  return { rig, gate, client, status, call };
}

describe("a build that waits", () => {
  test("shows one step with its place in the queue, each change of it, and where it runs in the end", async () => {
    const { rig, gate } = waitingBuild();
    expect(rig.journal).toEqual([]);
    gate.tell(THIRD);
    rig.clock.advance(4_300);
    gate.tell(SECOND);
    rig.clock.advance(61_000);
    gate.tell({ ...SECOND, position: 1 });
    gate.open();
    await settled();
    expect(rig.journal).toEqual([
      "status: vertex started",
      `status: line "position 3 of 3 in the queue, waited 0s: ${FULL}\\n"`,
      `status: line "position 2 of 2 in the queue, waited 4s: ${FULL}\\n"`,
      `status: line "position 1 of 2 in the queue, waited 1m5s: ${FULL}\\n"`,
      'status: line "running on a (preferred: github.com/acme/app)\\n"',
      "status: vertex completed",
      "status → a",
      "solve → a",
    ]);
  });

  test("says nothing new when only others have come behind it", () => {
    const { rig, gate } = waitingBuild();
    gate.tell(THIRD);
    gate.tell({ ...THIRD, length: 7 });
    expect(rig.journal).toHaveLength(2);
    gate.tell({ ...THIRD, length: 7, cause: "no replica takes builds" });
    expect(rig.journal[2]).toBe('status: line "position 3 of 7 in the queue, waited 0s: no replica takes builds\\n"');
  });

  test("shows a Status that comes late the step and how it stands", () => {
    const { rig, gate, client } = waitingBuild();
    gate.tell(THIRD);
    gate.tell(SECOND);
    rig.status(client, "r", "late");
    expect(rig.journal.slice(3)).toEqual([
      "late: vertex started",
      `late: line "position 2 of 2 in the queue, waited 0s: ${FULL}\\n"`,
    ]);
  });

  test("shows the same step to all targets of a bake, and not to a probe", async () => {
    const { rig, gate } = gatedRig(["a"], { progress: "queued" });
    const client = new ScriptedClient();
    const shown: { name: string; message: Uint8Array }[] = [];
    for (const name of ["t1", "t2"]) {
      const status = rig.status(client, name);
      status.show = (message) => void shown.push({ name, message });
      rig.solve(client, solve(name, { inputSessions: ["shared"] }));
    }
    const other = new ScriptedClient();
    rig.status(other, "probe");
    rig.solve(other, probe("probe"));
    gate.tell(THIRD);
    gate.open();
    await settled();
    const digests = shown.map(({ message }) => {
      const { vertexes } = controlRpcs.Status.responseDeserialize(Buffer.from(message));
      return vertexes[0]?.digest;
    });
    expect(shown.map(({ name }) => name)).toEqual(["t1", "t2", "t1", "t2"]);
    expect(new Set(digests).size).toBe(1);
    expect(digests[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(rig.journal.filter((line) => line.includes("vertex") || line.includes("line"))).toEqual([]);
  });

  test("has a step of its own", () => {
    const digests = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const { gate, status } = waitingBuild();
      status.show = (message) => {
        const { vertexes } = controlRpcs.Status.responseDeserialize(Buffer.from(message));
        for (const { digest } of vertexes) digests.add(digest);
      };
      gate.tell(THIRD);
    }
    expect(digests.size).toBe(3);
  });

  test("shows why it was refused, and then its Solve is the first to end", async () => {
    const { rig, gate } = waitingBuild();
    gate.tell(THIRD);
    gate.open(new GatewayError("queue_timeout", "waited 30m (queue.timeout): all 3 replicas are full"));
    await settled();
    expect(rig.journal.slice(2)).toEqual([
      "status: vertex failed: waited 30m (queue.timeout): all 3 replicas are full",
      "solve ✗ queue_timeout",
      "status ✗ queue_timeout",
    ]);
  });

  test("shows nothing more when it is cancelled", () => {
    const { rig, gate, call } = waitingBuild();
    gate.tell(THIRD);
    call.end();
    gate.tell(SECOND);
    expect(rig.journal.slice(2)).toEqual(["status ✗ cancelled"]);
  });

  test("goes on without a Status that was cancelled", async () => {
    const { rig, gate, status } = waitingBuild();
    gate.tell(THIRD);
    status.end();
    gate.tell(SECOND);
    gate.open();
    await settled();
    expect(rig.journal.slice(2)).toEqual(["solve → a"]);
  });

  test("keeps one step while a replica that was chosen cannot be reached", async () => {
    const rig = new RoutingRig([], { progress: "queued" });
    const client = new ScriptedClient();
    client.cannotReach("a");
    rig.status(client, "r", "status");
    rig.solve(client, solve("r"), "solve");
    await settled();
    rig.addReplica("a");
    await settled();
    rig.addReplica("b");
    await settled();
    expect(rig.journal).toEqual([
      "status: vertex started",
      'status: line "position 1 of 1 in the queue, waited 0s: no replica takes builds\\n"',
      'status: line "running on b (preferred: github.com/acme/app)\\n"',
      "status: vertex completed",
      "status → b",
      "solve → b",
    ]);
  });

  test("spares a client that does not read all lines but the last", async () => {
    const { rig, gate, status } = waitingBuild();
    gate.tell(THIRD);
    status.isBehind = true;
    for (let position = 2_000; position > 0; position--) gate.tell({ ...THIRD, position });
    gate.open();
    await settled();
    expect(rig.journal.slice(2)).toEqual([
      'status: line "running on a (preferred: github.com/acme/app)\\n"',
      "status: vertex completed",
      "status → a",
      "solve → a",
    ]);
  });

  test("shows nothing that a terminal acts on, and no long line", async () => {
    const { rig, gate } = gatedRig(["a"], { progress: "queued" });
    const client = new ScriptedClient();
    const lines: string[] = [];
    rig.status(client, "r").show = (message) => {
      const { logs } = controlRpcs.Status.responseDeserialize(Buffer.from(message));
      for (const { msg } of logs) lines.push(msg.toString());
    };
    const evil = `\u001b[2J\u0007\r\n\u202e${"x".repeat(600)}`;
    rig.session(client, "session-of-r", "session", evil);
    rig.solve(client, solve("r", { attrs: new Map() }));
    gate.tell({ ...THIRD, cause: `of ${evil}` });
    gate.open();
    await settled();
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(201);
      expect(line).toMatch(/^[^\p{C}]*\n$/u);
    }
    expect(lines[1]).toContain("running on a (preferred: shared:?[2J????xxx");
  });
});

describe("a build that does not wait", () => {
  test.each(["queued", "off"] as const)("shows nothing where progress is %s", async (progress) => {
    const { rig, gate } = waitingBuild(progress);
    gate.open();
    await settled();
    expect(rig.journal).toEqual(["status → a", "solve → a"]);
  });

  test("shows that step to a Status that comes after the build was placed, once", async () => {
    const rig = new RoutingRig(["a"], { progress: "always" });
    const client = new ScriptedClient();
    rig.solve(client, solve("r"), "solve");
    await settled();
    rig.status(client, "r", "status");
    rig.status(client, "r", "again");
    expect(rig.journal).toEqual([
      "solve → a",
      'status: line "running on a (preferred: github.com/acme/app)\\n"',
      "status: vertex completed",
      "status → a",
      "again → a",
    ]);
  });

  test("shows a step that is done at once where progress is always", async () => {
    const { rig, gate } = waitingBuild("always");
    gate.open();
    await settled();
    expect(rig.journal).toEqual([
      'status: line "running on a (preferred: github.com/acme/app)\\n"',
      "status: vertex completed",
      "status → a",
      "solve → a",
    ]);
  });

  test("shows nothing where it follows its client's first one", async () => {
    const { rig, gate, client } = waitingBuild("always");
    gate.open();
    await settled();
    rig.journal.length = 0;
    rig.status(client, "r2", "status");
    rig.solve(client, solve("r2"), "solve");
    expect(rig.journal).toEqual(["status → a", "solve → a"]);
  });
});

test("a build that waits shows nothing where progress is off", async () => {
  const { rig, gate } = waitingBuild("off");
  gate.tell(THIRD);
  gate.open();
  await settled();
  expect(rig.journal).toEqual(["status → a", "solve → a"]);
});

test("what is shown has its times", () => {
  const { rig, gate, status } = waitingBuild();
  const messages: Uint8Array[] = [];
  status.show = (message) => void messages.push(message);
  rig.clock.advance(1_250);
  gate.tell(THIRD);
  const { vertexes, logs } = controlRpcs.Status.responseDeserialize(Buffer.from(messages[0]!));
  expect(vertexes).toMatchObject([
    { name: "[gateway] waiting for a replica", started: { seconds: "1", nanos: 250_000_000 } },
  ]);
  expect(logs).toMatchObject([{ vertex: vertexes[0]?.digest, timestamp: { seconds: "1", nanos: 250_000_000 } }]);
  expect(describeStatus(messages[0]!)).toHaveLength(2);
});
