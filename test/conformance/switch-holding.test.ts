import { describe, expect, test } from "vitest";
import { GatewayError } from "../../src/base/errors.ts";
import { controlRpcs } from "../../src/buildkit/wire-contracts.ts";
import { BRIDGE_PING, BRIDGE_RETURN, BRIDGE_SOLVE, solveMessage } from "../support/build-calls.ts";
import {
  BRIDGE_ID,
  endOf,
  holdBuild,
  messageOf,
  SESSION_ID,
  SOLVE_ID,
  STATUS_ID,
  sendBridge,
  sendStatus,
  statusOf,
} from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, FrameType, headersFrame, rstStreamFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const PING_ID = 9;

/** Resolves once the gateway has sought the build, with how a change of its record ends: those who seek the same share the answer. */
function sought(client: RawPeer, streamId: number, Ref: string): Promise<string | undefined> {
  const { path, requestSerialize } = controlRpcs.UpdateBuildHistory;
  const change = requestSerialize({ Ref, Delete: true });
  client.send(headersFrame(streamId, requestBlock(path)), dataFrame(streamId, grpcMessage(change), true));
  return endOf(client, streamId);
}

describe("a build that is held", () => {
  test("reaches its replica whole and in the order in which its calls came, a minute later too", async () => {
    const { rig, gate, client } = await holdBuild();
    client.send(dataFrame(SESSION_ID, Buffer.from("early")));
    await settled(client);
    rig.clock.advance(60_000);
    expect(rig.replica.waiting).toBe(0);
    gate.open();
    const replica = await rig.replica.serve();
    const paths: (string | undefined)[] = [];
    for (const id of [1, 3, 5, 7]) paths.push(fieldOf(await readHeaders(replica, id), ":path"));
    expect(paths.map((path) => path?.split("/").at(-1))).toEqual(["Session", "Status", "Solve", "Solve"]);
    expect((await replica.nextOf("DATA", 1)).payload.toString()).toBe("early");
    expect(
      (await readMessage(replica, 5)).body.equals(solveMessage({ ref: "ref1", buildSession: "session of ref1" })),
    ).toBe(true);
  });

  test("is all on one replica, and later calls of it go there too", async () => {
    const { rig, gate, client } = await holdBuild();
    gate.open();
    const replica = await rig.replica.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(replica, id);
    sendBridge(client, 11, BRIDGE_RETURN, "ref1");
    expect(fieldOf(await readHeaders(replica, 9), ":path")).toBe(BRIDGE_RETURN);
  });

  test("sends nothing but what it has to its client in the first second", async () => {
    const { rig, client } = await holdBuild();
    rig.clock.advance(999);
    await settled(client);
    const kinds = new Set(client.received.map(({ type }) => type));
    for (const type of [FrameType.HEADERS, FrameType.DATA, FrameType.RST_STREAM]) expect(kinds).not.toContain(type);
  });

  test("answers a frontend's Ping from memory, well within the fifteen seconds that its client waits", async () => {
    const { rig, client } = await holdBuild();
    sendBridge(client, PING_ID, BRIDGE_PING, "ref1");
    await settled(client);
    rig.clock.advance(1_000);
    await settled(client);
    expect(client.received.filter(({ streamId }) => streamId === PING_ID)).toEqual([]);
    rig.clock.advance(9_000);
    const pong = await readMessage(client, PING_ID);
    expect(pong.body.toString("latin1")).toContain("r1");
    expect(pong.headers).toEqual([RESPONSE_FIELDS, [["grpc-status", "0"]]]);
  });

  test("ends at once, all of it, when its Solve is cancelled; what comes later is answered", async () => {
    const { rig, gate, client } = await holdBuild();
    client.send(rstStreamFrame(SOLVE_ID, 0x8));
    expect(await endOf(client, STATUS_ID)).toBe("0");
    expect(await endOf(client, SESSION_ID)).toBe("0");
    expect(await endOf(client, BRIDGE_ID)).toBe("1");
    sendBridge(client, 11, BRIDGE_RETURN, "ref1");
    expect(await endOf(client, 11)).toBe("0");
    gate.open();
    await settled(client);
    expect(rig.replica.waiting).toBe(0);
  });

  test("ends in the words of whoever refuses it: Solve first, then what carries no error", async () => {
    const { gate, client } = await holdBuild();
    gate.open(new GatewayError("queue_full", "queue full: 64 builds waiting"));
    const ended: number[] = [];
    const readEnd = async (id: number) => {
      const { headers } = await readMessage(client, id);
      ended.push(id);
      return [fieldOf(headers.at(-1), "grpc-status"), fieldOf(headers.at(-1), "grpc-message")];
    };
    const ends = await Promise.all([SESSION_ID, STATUS_ID, BRIDGE_ID, SOLVE_ID].map(readEnd));
    const refused = ["8", "queue full: 64 builds waiting"];
    expect(ends).toEqual([["0", undefined], ["0", undefined], refused, refused]);
    sendBridge(client, 11, BRIDGE_RETURN, "ref1");
    expect(await endOf(client, 11)).toBe("0");
  });

  test("keeps its place while its client's other calls go on", async () => {
    const { rig, gate, client } = await holdBuild();
    client.send(headersFrame(21, requestBlock("/moby.buildkit.v1.Control/Info")), dataFrame(21, Buffer.alloc(5), true));
    const info = await readMessage(client, 21);
    expect(fieldOf(info.headers.at(-1), "grpc-status")).toBe("0");
    expect(info.body.toString("latin1")).toContain("v0.25.2");
    expect(rig.replica.waiting).toBe(0);
    gate.open();
    await rig.replica.serve();
  });
});

describe("a call whose build nobody knows", () => {
  test("of a frontend's goes to a replica after its three seconds, whose answer comes back", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    sendBridge(client, 1, BRIDGE_SOLVE, "nobody");
    await settled(client);
    rig.clock.advance(2_999);
    await settled(client);
    expect(rig.replica.waiting).toBe(0);
    rig.clock.advance(1);
    const replica = await rig.replica.serve();
    await readMessage(replica, 1);
    const notFound = encodeFields([...RESPONSE_FIELDS, ["grpc-status", "5"], ["grpc-message", "no such job nobody"]]);
    replica.send(headersFrame(1, notFound, true));
    expect(fieldOf((await readMessage(client, 1)).headers[0], "grpc-message")).toBe("no such job nobody");
  });

  test("asks for the Status of a build of some replica's: goes there at once", async () => {
    const rig = await SwitchRig.start({ replicas: 3 });
    const owner = rig.replicas[2]!;
    owner.grpc.behaviour.history.push({ type: "COMPLETE", record: { Ref: "old" } } as never);
    const client = await rig.client();
    sendStatus(client, 1, "old");
    const replica = await owner.serve();
    await readMessage(replica, 1);
    replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(1, OK_BLOCK, true));
    expect(await endOf(client, 1)).toBe("0");
  });

  test("asks for the Status of a build of nobody's: is told so after six seconds, as buildkitd says it", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const client = await rig.client();
    sendStatus(client, 1, "nobody");
    expect(await sought(client, 3, "nobody")).toBe("5");
    rig.clock.advance(6_000);
    const answer = await readMessage(client, 1);
    expect([statusOf(answer), messageOf(answer)]).toEqual(["5", "no such job nobody"]);
    expect(rig.replicas.map(({ waiting }) => waiting)).toEqual([0, 0]);
  });

  test("asks for the Status of a build that a missing replica may have: is told which", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const [missing] = rig.replicas;
    rig.fleet.reportFailure(missing!.name, "lost");
    const client = await rig.client();
    sendStatus(client, 1, "nobody");
    expect(await sought(client, 3, "nobody")).toBe("14");
    rig.clock.advance(6_000);
    const answer = await readMessage(client, 1);
    expect(statusOf(answer)).toBe("14");
    expect(messageOf(answer)).toContain(`replica ${missing!.name} (lost)`);
  });
});
