import { describe, expect, test } from "vitest";
import { BRIDGE_PING, BRIDGE_RETURN, BRIDGE_SOLVE, SOLVE, sessionBlock, solveMessage } from "../support/build-calls.ts";
import { endOf, STATUS_ID, sendBridge, sendBuild, sendStatus, startGated, statusOf } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, FrameType, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_FIELDS, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";

const NO_REPLICA = { position: 1, length: 1, cause: "no replica takes builds" };

type Kind = "session" | "status" | "solve" | "ping";

const IDS: Readonly<Record<Kind | "return", number>> = {
  session: 101,
  status: 103,
  solve: 105,
  ping: 107,
  return: 109,
};

/** Open one call of a capability probe; streams are numbered as they come. */
function open(client: RawPeer, kind: Kind | "return", id = IDS[kind], ref = "p"): void {
  if (kind === "session") client.send(headersFrame(id, sessionBlock(`session of ${ref}`)));
  else if (kind === "status") sendStatus(client, id, ref);
  else if (kind === "ping") sendBridge(client, id, BRIDGE_PING, ref);
  else if (kind === "return") sendBridge(client, id, BRIDGE_RETURN, ref);
  else {
    const message = solveMessage({ ref, buildSession: `session of ${ref}`, isInternal: true });
    client.send(headersFrame(id, requestBlock(SOLVE)), dataFrame(id, message, true));
  }
}

/** Streams on which something has come and not been read. */
function answered(client: RawPeer): number[] {
  return client.received.filter(({ type }) => type === FrameType.HEADERS).map(({ streamId }) => streamId);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

describe("a capability probe while there is no replica", () => {
  const ORDERS = permutations<Kind>(["session", "status", "solve", "ping"]);

  test("is answered in a replica's place, in whatever order its calls come", async () => {
    const { rig, gate } = await startGated();
    for (const [at, order] of ORDERS.entries()) {
      const client = await rig.client();
      const ids = Object.fromEntries(order.map((kind, i) => [kind, 1 + 2 * i])) as Record<Kind, number>;
      for (const kind of order) open(client, kind, ids[kind], `p${at}`);
      await gate.asked(at + 1);
      gate.tell(NO_REPLICA);
      const pong = await readMessage(client, ids.ping);
      expect(pong.body.toString("latin1")).toContain("r1");
      await settled(client);
      expect(answered(client)).toEqual([]);
      open(client, "return", 9, `p${at}`);
      const unary = [RESPONSE_FIELDS, OK_FIELDS];
      for (const id of [9, ids.solve]) {
        const { headers, body } = await readMessage(client, id);
        expect([headers, body]).toEqual([unary, Buffer.alloc(5)]);
      }
      expect(await endOf(client, ids.status)).toBe("0");
      expect(await endOf(client, ids.session)).toBe("0");
      await client.destroy();
    }
    expect(rig.replica.waiting).toBe(0);
    expect(rig.leftBehind).toEqual([[0], [0]]);
  });

  test("leaves no call of its ref open that comes late", async () => {
    const { rig, gate } = await startGated();
    const client = await rig.client();
    open(client, "solve", 1);
    await gate.asked(1);
    gate.tell(NO_REPLICA);
    open(client, "return", 3);
    expect(await endOf(client, 1)).toBe("0");
    expect(await endOf(client, 3)).toBe("0");
    for (const [i, kind] of (["session", "status", "ping", "return"] as const).entries()) {
      open(client, kind, 5 + 2 * i);
      expect(await endOf(client, 5 + 2 * i)).toBe("0");
    }
  });

  test("goes to a replica, whole, when a frontend calls more than Ping and Return", async () => {
    const { rig, gate } = await startGated();
    const client = await rig.client();
    open(client, "solve", 1);
    await gate.asked(1);
    gate.tell(NO_REPLICA);
    sendBridge(client, 3, BRIDGE_SOLVE, "p");
    open(client, "return", 5);
    await settled(client);
    expect(answered(client)).toEqual([]);
    gate.open();
    const replica = await rig.replica.serve();
    const paths: (string | undefined)[] = [];
    for (const id of [1, 3, 5]) paths.push(fieldOf(await readHeaders(replica, id), ":path"));
    expect(paths).toEqual([SOLVE, BRIDGE_SOLVE, BRIDGE_RETURN]);
  });
});

test("with every replica drained, a probe is answered and its build waits and shows it, until one is back", async () => {
  const { rig, gate } = await startGated();
  gate.open();
  rig.fleet.drain("r1");
  const client = await rig.client();
  for (const kind of ["session", "status", "solve", "ping"] as const) open(client, kind);
  expect(statusOf(await readMessage(client, IDS.ping))).toBe("0");
  open(client, "return");
  for (const kind of ["return", "solve", "status", "session"] as const) {
    expect(await endOf(client, IDS[kind])).toBe("0");
  }
  const second = await rig.client();
  sendBuild(second);
  const headers = await readHeaders(second, STATUS_ID);
  expect(fieldOf(headers, "buildkit-current-timestamp")).toBeDefined();
  expect((await second.nextOf("DATA", STATUS_ID)).payload.toString("latin1")).toContain("position 1 of 1 in the queue");
  rig.fleet.undrain("r1");
  const replica = await rig.replica.serve();
  for (const id of [1, 3, 5, 7]) await readHeaders(replica, id);
  expect((await second.nextOf("DATA", STATUS_ID)).payload.toString("latin1")).toContain("running on r1");
});
