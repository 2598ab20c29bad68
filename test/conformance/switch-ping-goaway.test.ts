import { describe, expect, test } from "vitest";
import { BRIDGE_RETURN, bridgeBlock, SOLVE, solveMessage } from "../support/build-calls.ts";
import { ping, settled } from "../support/raw-http2/barrier.ts";
import {
  dataFrame,
  Flag,
  FrameType,
  goawayFrame,
  headersFrame,
  pingFrame,
  rstStreamFrame,
  Setting,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import {
  OK_BLOCK,
  OK_FIELDS,
  RESPONSE_BLOCK,
  RESPONSE_FIELDS,
  requestBlock,
} from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";
import type { ScriptedReplica } from "../support/scripted-replica.ts";
import { SwitchRig } from "../support/switch-rig.ts";

/** A client with one open call, and the replica's end of it. */
async function openCall(rig: SwitchRig, ofClient: readonly (readonly [number, number])[] = []) {
  const client = await rig.client(ofClient);
  client.send(headersFrame(1, requestBlock()));
  const replica = await rig.replica.serve();
  await readHeaders(replica, 1);
  return { client, replica };
}

function answer(replica: RawPeer, streamId: number, text = ""): void {
  replica.send(
    headersFrame(streamId, RESPONSE_BLOCK),
    dataFrame(streamId, Buffer.from(text)),
    headersFrame(streamId, OK_BLOCK, true),
  );
}

const resetCode = async (peer: RawPeer, streamId: number): Promise<number> =>
  (await peer.nextOf("RST_STREAM", streamId)).payload.readUInt32BE(0);

describe("PING (RFC 9113 §6.7; gRPC PING Frame)", () => {
  test("is answered with its own octets by the switch, and goes no further, on either side", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    const opaque = Buffer.from("01234567");
    client.send(pingFrame(opaque));
    replica.send(pingFrame(opaque));
    for (const peer of [client, replica]) {
      const reply = await peer.nextOf("PING");
      expect([reply.flags, reply.payload]).toEqual([Flag.ACK, opaque]);
    }
    await settled(client, replica);
    for (const peer of [client, replica])
      expect(peer.received.filter(({ type }) => type === FrameType.PING)).toEqual([]);
  });

  test("is answered even while the client reads nothing of a long answer", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    await sendBody(replica, 1, Buffer.alloc(65_535), { isEndStream: false });
    await ping(client);
    await ping(replica);
  });
});

describe("GOAWAY from a replica (RFC 9113 §6.8; gRPC GOAWAY Frame)", () => {
  test("lets running calls finish, sends later ones over a new connection, and is not told to the client", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    replica.send(goawayFrame(1, 0));
    await settled(client, replica);
    // The replica is checked at once, and takes calls again.
    rig.clock.advance(0);
    await rig.fleet.ready();
    client.send(headersFrame(3, requestBlock(), true));
    const next = await rig.replica.serve();
    await readMessage(next, 1);
    answer(replica, 1, "finished");
    client.send(dataFrame(1, Buffer.alloc(0), true));
    expect((await readMessage(client, 1)).body.toString()).toBe("finished");
    await replica.nextOf("GOAWAY");
    await replica.ended();
    answer(next, 1, "over there");
    expect((await readMessage(client, 3)).body.toString()).toBe("over there");
    expect(client.received.map(({ type }) => type)).not.toContain(FrameType.GOAWAY);
  });

  test("puts nothing on the old connection, and the next call goes to another replica", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock()));
    const [first, second] = rig.replicas as [ScriptedReplica, ScriptedReplica];
    const old = await first.serve();
    await readHeaders(old, 1);
    old.send(goawayFrame(1, 0));
    await settled(client, old);
    client.send(headersFrame(3, requestBlock(), true));
    const other = await second.serve();
    await readMessage(other, 1);
    answer(other, 1, "elsewhere");
    expect((await readMessage(client, 3)).body.toString()).toBe("elsewhere");
    answer(old, 1, "still here");
    expect((await readMessage(client, 1)).body.toString()).toBe("still here");
  });

  test("keeps a running build's later calls on the replica, and sends other clients' new builds elsewhere", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const sendSolve = (peer: RawPeer, streamId: number, ref: string) =>
      peer.send(headersFrame(streamId, requestBlock(SOLVE)), dataFrame(streamId, solveMessage({ ref }), true));
    const client = await rig.client();
    sendSolve(client, 1, "ref1");
    const [first, second] = rig.replicas as [ScriptedReplica, ScriptedReplica];
    const old = await first.serve();
    await readMessage(old, 1);
    old.send(goawayFrame(2 ** 31 - 1, 0));
    await settled(client, old);
    client.send(headersFrame(3, bridgeBlock(BRIDGE_RETURN, "ref1")), dataFrame(3, Buffer.alloc(5), true));
    const again = await first.serve();
    expect(fieldOf((await readMessage(again, 1)).headers[0], ":path")).toBe(BRIDGE_RETURN);
    for (const i of [1, 2, 3]) {
      const other = await rig.client();
      sendSolve(other, 1, `other${i}`);
      await readMessage(await second.serve(), 1);
    }
    answer(again, 1, "returned");
    expect((await readMessage(client, 3)).body.toString()).toBe("returned");
    answer(old, 1, "built");
    expect((await readMessage(client, 1)).body.toString()).toBe("built");
  });

  test("§8.7: refuses the calls that it has not taken, which the client hears as REFUSED_STREAM", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    client.send(headersFrame(3, requestBlock(), true));
    await readMessage(replica, 3);
    replica.send(goawayFrame(2 ** 31 - 1, 0), goawayFrame(1, 0));
    expect(await resetCode(client, 3)).toBe(0x7);
    answer(replica, 1, "taken");
    expect((await readMessage(client, 1)).body.toString()).toBe("taken");
  });

  test("refuses the calls that wait for MAX_CONCURRENT_STREAMS too", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true), headersFrame(3, requestBlock(), true));
    const replica = await rig.replica.serve([[Setting.MAX_CONCURRENT_STREAMS, 1]]);
    await readMessage(replica, 1);
    replica.send(goawayFrame(1, 0));
    expect(await resetCode(client, 3)).toBe(0x7);
    answer(replica, 1);
    await readMessage(client, 1);
  });

  test("with an error, followed by the end of the connection, fails its calls with what it said", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    replica.send(goawayFrame(1, 0xb, "too_many_pings"));
    await settled(client, replica);
    await replica.destroy();
    const { headers } = await readMessage(client, 1);
    expect(headers[0]).toContainEqual(["grpc-status", "14"]);
  });
});

describe("RST_STREAM (RFC 9113 §6.4, §7; gRPC Errors)", () => {
  test.each([0x0, 0x1, 0x2, 0x5, 0x7, 0x8, 0xb, 0xd, 0xdead])(
    "crosses in both directions with its code (%i)",
    async (code) => {
      const rig = await SwitchRig.start();
      const { client, replica } = await openCall(rig);
      client.send(headersFrame(3, requestBlock()));
      await readHeaders(replica, 3);
      client.send(rstStreamFrame(1, code));
      expect(await resetCode(replica, 1)).toBe(code);
      replica.send(rstStreamFrame(3, code));
      expect(await resetCode(client, 3)).toBe(code);
    },
  );

  test("drops what waits for a window, and tells the other side at once", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock()));
    const replica = await rig.replica.serve([[Setting.INITIAL_WINDOW_SIZE, 0]]);
    await readHeaders(replica, 1);
    await sendBody(client, 1, Buffer.alloc(30_000));
    await settled(client, replica);
    client.send(rstStreamFrame(1, 0x8));
    expect(await resetCode(replica, 1)).toBe(0x8);
    replica.send(windowUpdateFrame(1, 60_000));
    await settled(client, replica);
    expect(replica.received.map(({ type }) => type)).not.toContain(FrameType.DATA);
  });
});

describe("the end of a direction (RFC 9113 §8.1)", () => {
  test("crosses while the other goes on: the client's first", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    client.send(dataFrame(1, Buffer.from("last"), true));
    expect((await readMessageBody(replica, 1)).toString()).toBe("last");
    const body = bodyOf(1, 300_000);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    const [response] = await Promise.all([
      readMessage(client, 1, { isGranting: true }),
      sendBody(replica, 1, body, { isEndStream: false }).then(() => replica.send(headersFrame(1, OK_BLOCK, true))),
    ]);
    expect(response.body.equals(body)).toBe(true);
    expect(response.headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
  });

  test("crosses while the other goes on: the replica's first", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    answer(replica, 1, "early");
    expect((await readMessage(client, 1)).body.toString()).toBe("early");
    const body = bodyOf(2, 300_000);
    const [rest] = await Promise.all([readMessage(replica, 1, { isGranting: true }), sendBody(client, 1, body)]);
    expect(rest.body.equals(body)).toBe(true);
  });

  test("with nothing but trailers crosses as one header list", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    const fields: Field[] = [...RESPONSE_FIELDS, ["grpc-status", "12"], ["grpc-message", "unknown method"]];
    replica.send(headersFrame(1, encodeFields(fields), true));
    const response = await readMessage(client, 1);
    expect([response.headers, response.pieces]).toEqual([[fields], []]);
  });

  test("without trailers crosses as it is: whether that is a failure is the client's to say", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCall(rig);
    replica.send(headersFrame(1, RESPONSE_BLOCK), dataFrame(1, Buffer.from("cut"), true));
    const response = await readMessage(client, 1);
    expect([response.headers, response.body.toString()]).toEqual([[RESPONSE_FIELDS], "cut"]);
  });
});

async function readMessageBody(peer: RawPeer, streamId: number): Promise<Buffer> {
  return (await readMessage(peer, streamId)).body;
}
