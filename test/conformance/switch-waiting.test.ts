import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/base/errors.ts";
import type { Waiting } from "../../src/routing/placer.ts";
import { BRIDGE_PING, BRIDGE_RETURN, SOLVE, solveMessage } from "../support/build-calls.ts";
import { initialWindow } from "../support/open-calls.ts";
import {
  BRIDGE_ID,
  endOf,
  holdBuild,
  messageOf,
  messagesOf,
  SESSION_ID,
  SOLVE_ID,
  STATUS_ID,
  sendBridge,
  sendStatus,
  statusOf,
} from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  dataFrame,
  Flag,
  type Frame,
  FrameType,
  headersFrame,
  rstStreamFrame,
  unpadded,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { OK_BLOCK, OK_FIELDS, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { describeStatus } from "../support/shown-status.ts";

const FULL = "all 3 replicas are full (4 builds each)";
const THIRD: Waiting = { position: 3, length: 3, cause: FULL };
const SECOND: Waiting = { ...THIRD, position: 2, length: 2 };

const THIRD_LINE = `line "position 3 of 3 in the queue, waited 0s: ${FULL}\\n"`;
const SECOND_LINE = `line "position 2 of 2 in the queue, waited 4s: ${FULL}\\n"`;
const RUNNING_LINE = 'line "running on r1 (least loaded)\\n"';

/** How a Status begins that the gateway shows something on, at this time of the rig's clock. */
const shownSince = (time: string): Field[] => [...RESPONSE_FIELDS, ["buildkit-current-timestamp", time]];

/** How the replica begins its own. */
const REPLICA_BLOCK = encodeFields(shownSince("2026-01-01T00:00:00.5Z"));

/** Take what has come on a stream: what was shown, in words. */
function shown(client: RawPeer, streamId: number): string[] {
  const isItsData = (frame: Frame) => frame.streamId === streamId && frame.type === FrameType.DATA;
  const frames = client.received.filter(isItsData);
  for (const frame of frames) client.received.splice(client.received.indexOf(frame), 1);
  return messagesOf(Buffer.concat(frames.map(unpadded))).flatMap(describeStatus);
}

describe("a Status that is held while its build waits", () => {
  test("begins when there is something to show, is told each change, and goes on with the replica's own", async () => {
    const { rig, gate, client } = await holdBuild();
    rig.clock.advance(1_500);
    gate.tell(THIRD);
    expect(await readHeaders(client, STATUS_ID)).toEqual(shownSince("1970-01-01T00:00:01.5Z"));
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual(["vertex started", THIRD_LINE]);
    rig.clock.advance(4_000);
    gate.tell(SECOND);
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual([SECOND_LINE]);
    gate.open();
    const replica = await rig.replica.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(replica, id);
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual([RUNNING_LINE, "vertex completed"]);
    const own = [grpcMessage(Buffer.from("one")), grpcMessage(Buffer.from("two"))];
    replica.send(headersFrame(3, REPLICA_BLOCK), ...own.map((message) => dataFrame(3, message)));
    replica.send(headersFrame(3, OK_BLOCK, true));
    const rest = await readMessage(client, STATUS_ID);
    // The replica's beginning is swallowed; its messages and its end are not.
    expect(rest.headers).toEqual([OK_FIELDS]);
    expect(rest.body.equals(Buffer.concat(own))).toBe(true);
  });

  test("ends as its replica ends it, where that has nothing but an end to say", async () => {
    const { rig, gate, client } = await holdBuild();
    gate.tell(THIRD);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await readHeaders(replica, 3);
    const details: Field[] = [
      ["grpc-status", "5"],
      ["grpc-message", "no such job"],
      ["grpc-status-details-bin", "AAAA"],
    ];
    replica.send(headersFrame(3, encodeFields([...RESPONSE_FIELDS, ...details]), true));
    const status = await readMessage(client, STATUS_ID);
    expect(status.headers).toEqual([shownSince("1970-01-01T00:00:00Z"), details]);
  });

  test("shows one that comes late how it stands", async () => {
    const { gate, client } = await holdBuild();
    gate.tell(THIRD);
    sendStatus(client, 9, "ref1");
    await settled(client);
    expect(shown(client, 9)).toEqual(["vertex started", THIRD_LINE]);
  });

  test("may be cancelled, and nothing else ends", async () => {
    const { rig, gate, client } = await holdBuild();
    gate.tell(THIRD);
    client.send(rstStreamFrame(STATUS_ID, 8));
    await settled(client);
    shown(client, STATUS_ID);
    gate.tell(SECOND);
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual([]);
    gate.open();
    const replica = await rig.replica.serve();
    const paths: (string | undefined)[] = [];
    for (const id of [1, 3, 5]) paths.push((await readHeaders(replica, id)).find(([name]) => name === ":path")?.[1]);
    expect(paths.map((path) => path?.split("/").at(-1))).toEqual(["Session", "Solve", "Solve"]);
  });

  test("ends at once with its Solve, when that is cancelled", async () => {
    const { gate, client } = await holdBuild();
    gate.tell(THIRD);
    client.send(rstStreamFrame(SOLVE_ID, 8));
    const status = await readMessage(client, STATUS_ID);
    expect(statusOf(status)).toBe("0");
    expect(messagesOf(status.body).flatMap(describeStatus)).toEqual(["vertex started", THIRD_LINE]);
  });

  test("shows why its build was refused, and ends well after its Solve has ended badly", async () => {
    const { gate, client } = await holdBuild();
    gate.tell(THIRD);
    await settled(client);
    const text = "waited 30m (queue.timeout): all 3 replicas are full (4 builds each)";
    gate.open(new GatewayError("queue_timeout", text));
    await settled(client);
    const ends = client.received.filter(({ flags, type }) => type === FrameType.HEADERS && flags & Flag.END_STREAM);
    expect(ends.map(({ streamId }) => streamId)).toEqual([SOLVE_ID, BRIDGE_ID, STATUS_ID, SESSION_ID]);
    // Header blocks of a connection are read in the order they came: the Status began first.
    expect(await readHeaders(client, STATUS_ID)).toEqual(shownSince("1970-01-01T00:00:00Z"));
    const [solve, bridge] = [await readMessage(client, SOLVE_ID), await readMessage(client, BRIDGE_ID)];
    expect([solve, bridge].map(statusOf)).toEqual(["8", "8"]);
    expect(messageOf(solve)).toBe(text);
    const status = await readMessage(client, STATUS_ID);
    expect(messagesOf(status.body).flatMap(describeStatus)).toEqual([
      "vertex started",
      THIRD_LINE,
      `vertex failed: ${text}`,
    ]);
    expect(statusOf(status)).toBe("0");
    expect(await endOf(client, SESSION_ID)).toBe("0");
    sendBridge(client, 11, BRIDGE_RETURN, "ref1");
    expect(await endOf(client, 11)).toBe("0");
  });

  test("is shown the same as another target of its bake", async () => {
    const { gate, client } = await holdBuild();
    sendStatus(client, 9, "ref2");
    client.send(headersFrame(11, requestBlock(SOLVE)), dataFrame(11, solveMessage({ ref: "ref2" }), true));
    await settled(client);
    gate.tell(THIRD);
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual(["vertex started", THIRD_LINE]);
    expect(shown(client, 9)).toEqual(["vertex started", THIRD_LINE]);
  });
});

describe("what is shown keeps to the client's windows", () => {
  test("of nothing: it waits, lines in between are left out, and the replica's messages come after it", async () => {
    const { rig, gate, client } = await holdBuild({}, initialWindow(0));
    for (let position = 1_000; position > 0; position--) gate.tell({ ...THIRD, position });
    await settled(client);
    expect(await readHeaders(client, STATUS_ID)).toEqual(shownSince("1970-01-01T00:00:00Z"));
    expect(shown(client, STATUS_ID)).toEqual([]);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await readHeaders(replica, 3);
    const own = Buffer.concat(Array.from({ length: 50 }, (_, i) => grpcMessage(Buffer.alloc(1_000, i))));
    replica.send(headersFrame(3, REPLICA_BLOCK));
    for (let at = 0; at < own.length; at += 10_000) replica.send(dataFrame(3, own.subarray(at, at + 10_000)));
    replica.send(headersFrame(3, OK_BLOCK, true));
    await settled(client, replica);
    const reading = readMessage(client, STATUS_ID);
    for (let granted = 0; granted < own.length + 2_000; granted += 777) {
      client.send(windowUpdateFrame(STATUS_ID, 777));
    }
    const { body, headers } = await reading;
    expect(headers).toEqual([OK_FIELDS]);
    const messages = messagesOf(body);
    expect(messages.slice(0, 2).flatMap(describeStatus)).toEqual([
      "vertex started",
      `line "position 1000 of 3 in the queue, waited 0s: ${FULL}\\n"`,
      RUNNING_LINE,
      "vertex completed",
    ]);
    expect(body.subarray(body.length - own.length).equals(own)).toBe(true);
    expect(messages).toHaveLength(52);
    expect([client.flow.violations, replica.flow.violations]).toEqual([[], []]);
  });

  test("and is counted when the replica is told what it may send", async () => {
    const { rig, gate, client } = await holdBuild({}, initialWindow(200_000));
    gate.tell(THIRD);
    gate.tell(SECOND);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await readHeaders(replica, 3);
    await settled(client, replica);
    const isItsData = ({ streamId, type }: Frame) => streamId === STATUS_ID && type === FrameType.DATA;
    const shownBytes = client.received.filter(isItsData).reduce((sum, { payload }) => sum + payload.length, 0);
    expect(shownBytes).toBeGreaterThan(0);
    expect(replica.flow.window(3)).toBe(200_000 - shownBytes);
  });
});

describe("a frontend's Ping", () => {
  test("is answered as soon as its build has to wait", async () => {
    const { gate, client } = await holdBuild();
    sendBridge(client, 9, BRIDGE_PING, "ref1");
    gate.tell(THIRD);
    const first = await readMessage(client, 9);
    expect(first.body.toString("latin1")).toContain("r1");
    expect(first.headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
    sendBridge(client, 11, BRIDGE_PING, "ref1");
    expect((await readMessage(client, 11)).body.equals(first.body)).toBe(true);
  });
});

describe("where progress is set", () => {
  test("to off, a held Status is told nothing", async () => {
    const { rig, gate, client } = await holdBuild({ settings: { QUEUE_PROGRESS: "off" } });
    gate.tell(THIRD);
    await settled(client);
    expect(client.received.filter(({ streamId }) => streamId === STATUS_ID)).toEqual([]);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await readHeaders(replica, 3);
    replica.send(headersFrame(3, REPLICA_BLOCK), headersFrame(3, OK_BLOCK, true));
    const { headers, body } = await readMessage(client, STATUS_ID);
    expect(headers).toEqual([shownSince("2026-01-01T00:00:00.5Z"), OK_FIELDS]);
    expect(body).toEqual(Buffer.alloc(0));
  });

  test.each([
    ["always", [RUNNING_LINE, "vertex completed"]],
    ["queued", []],
  ])("to %s, a build that does not wait shows %j", async (progress, words) => {
    const { rig, gate, client } = await holdBuild({ settings: { QUEUE_PROGRESS: progress } });
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await settled(client);
    expect(shown(client, STATUS_ID)).toEqual(words);
  });
});
