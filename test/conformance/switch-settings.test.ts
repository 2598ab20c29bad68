import { describe, expect, test } from "vitest";
import { ping, settled } from "../support/raw-http2/barrier.ts";
import {
  Flag,
  FrameType,
  headersFrame,
  readSettings,
  rstStreamFrame,
  Setting,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import {
  OK_BLOCK,
  OK_FIELDS,
  RESPONSE_BLOCK,
  RESPONSE_FIELDS,
  requestBlock,
  requestFields,
} from "../support/raw-http2/grpc-fields.ts";
import type { Field } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";
import { SwitchRig } from "../support/switch-rig.ts";

describe("towards a client, SETTINGS (RFC 9113 §3.4, §6.5)", () => {
  test("§3.4: are sent before the client has said a word, once it has said its preface", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.silentClient();
    client.send(Buffer.from("PRI"));
    const first = await client.next(() => true);
    expect([first.type, first.flags, first.streamId]).toEqual([FrameType.SETTINGS, 0, 0]);
  });

  test("§5.1.2: name no limit on streams: clients queue silently when they are told one", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.silentClient();
    client.begin("client");
    const ours = readSettings((await client.nextOf("SETTINGS")).payload);
    expect(ours.map(([id]) => id)).not.toContain(Setting.MAX_CONCURRENT_STREAMS);
  });

  test("§6.5.3: of the client's are acknowledged, each frame once and in order with PINGs between them answered", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.silentClient();
    client.begin("client", [[Setting.ENABLE_PUSH, 1]]);
    client.send(settingsFrame([[0xf00d, 7]]), settingsFrame());
    await ping(client);
    await ping(client);
    const acks = client.received.filter(({ type, flags }) => type === FrameType.SETTINGS && (flags & Flag.ACK) !== 0);
    expect(acks.map(({ payload }) => payload.length)).toEqual([0, 0, 0]);
  });
});

describe("towards a replica, SETTINGS (RFC 9113 §3.4, §6.5)", () => {
  test("§3.4: follow the preface, refuse pushes, and are acknowledged in turn", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.accepted();
    const first = await replica.next(() => true);
    expect([first.type, first.flags]).toEqual([FrameType.SETTINGS, 0]);
    expect(readSettings(first.payload)).toContainEqual([Setting.ENABLE_PUSH, 0]);
    replica.begin("server", [[Setting.MAX_CONCURRENT_STREAMS, 100]]);
    await replica.next(({ type, flags }) => type === FrameType.SETTINGS && (flags & Flag.ACK) !== 0);
    replica.send(settingsAckFrame());
    await readMessage(replica, 1);
  });

  test("§3.4: of the replica's are waited for: no call goes to a peer that has not spoken HTTP/2", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.accepted();
    await settled(client);
    expect(replica.received.map(({ type }) => type)).not.toContain(FrameType.HEADERS);
    replica.begin("server");
    await readMessage(replica, 1);
  });
});

describe("HEADER_TABLE_SIZE of 0 (RFC 7541 §4.2)", () => {
  test("on either side: blocks use no dynamic table", async () => {
    const rig = await SwitchRig.start();
    const more: Field[] = [["x-request", "one"]];
    const client = await rig.client([[Setting.HEADER_TABLE_SIZE, 0]]);
    client.send(
      headersFrame(1, requestBlock(undefined, more), true),
      headersFrame(3, requestBlock(undefined, more), true),
    );
    const replica = await rig.replica.serve([[Setting.HEADER_TABLE_SIZE, 0]]);
    for (const id of [1, 3]) expect((await readMessage(replica, id)).headers).toEqual([requestFields(undefined, more)]);
    for (const id of [1, 3]) replica.send(headersFrame(id, RESPONSE_BLOCK), headersFrame(id, OK_BLOCK, true));
    for (const id of [1, 3]) expect((await readMessage(client, id)).headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
  });
});

describe("MAX_FRAME_SIZE (RFC 9113 §4.2)", () => {
  test("bounds what we send: no frame over 16,384 octets to a peer that takes no more", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock()));
    const replica = await rig.replica.serve([
      [Setting.MAX_FRAME_SIZE, 16_384],
      [Setting.INITIAL_WINDOW_SIZE, 1_000_000],
    ]);
    replica.send(windowUpdateFrame(0, 1_000_000));
    const body = bodyOf(1, 500_000);
    const [request] = await Promise.all([readMessage(replica, 1), sendBody(client, 1, body)]);
    expect(request.body.equals(body)).toBe(true);
    expect(Math.max(...request.pieces)).toBeLessThanOrEqual(16_384);
  });

  test("may be larger on the other side without harm", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client([[Setting.MAX_FRAME_SIZE, 0xff_ffff]]);
    client.send(headersFrame(1, requestBlock()));
    const replica = await rig.replica.serve([[Setting.MAX_FRAME_SIZE, 1 << 20]]);
    const body = bodyOf(2, 300_000);
    const [request] = await Promise.all([
      readMessage(replica, 1, { isGranting: true }),
      sendBody(client, 1, body, { pieceBytes: 16_384 }),
    ]);
    expect(request.body.equals(body)).toBe(true);
  });
});

describe("MAX_CONCURRENT_STREAMS of a replica (RFC 9113 §5.1.2)", () => {
  const limit = (streams: number) => [[Setting.MAX_CONCURRENT_STREAMS, streams]] as const;

  test("of 1: further calls wait, with what they have sent, and then go one by one", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
    client.send(windowUpdateFrame(0, 10_000_000));
    const ids = [1, 3, 5];
    client.send(...ids.map((id) => headersFrame(id, requestBlock(undefined, [["x-call", String(id)]]))));
    const replica = await rig.replica.serve(limit(1));
    const bodies = ids.map((id) => bodyOf(id, 60_000));
    await Promise.all(ids.map((id, i) => sendBody(client, id, bodies[i]!)));
    await settled(client, replica);
    for (const [i, id] of ids.entries()) {
      // Its streams are numbered in the order in which they may open.
      const request = await readMessage(replica, id, { isGranting: true });
      expect(request.headers[0]).toContainEqual(["x-call", String(id)]);
      expect(request.body.equals(bodies[i]!)).toBe(true);
      await settled(client, replica);
      expect(replica.received.filter(({ type }) => type === FrameType.HEADERS)).toEqual([]);
      // The answer is larger than a stream's first window: what the client takes is known to the replica too.
      replica.send(headersFrame(id, RESPONSE_BLOCK));
      await Promise.all([readMessage(client, id), sendBody(replica, id, bodyOf(id, 400_000))]);
    }
    expect(client.flow.violations).toEqual([]);
    expect(replica.flow.violations).toEqual([]);
  });

  test("of 0, raised later: calls wait until then", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true), headersFrame(3, requestBlock(), true));
    const replica = await rig.replica.serve(limit(0));
    await settled(client, replica);
    expect(replica.received.map(({ type }) => type)).not.toContain(FrameType.HEADERS);
    replica.send(settingsFrame(limit(2)));
    await readMessage(replica, 1);
    await readMessage(replica, 3);
  });

  test("a call that is cancelled while it waits never reaches the replica", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.serve(limit(1));
    await readMessage(replica, 1);
    client.send(headersFrame(3, requestBlock(), true), rstStreamFrame(3, 0x8));
    client.send(headersFrame(5, requestBlock(undefined, [["x-call", "5"]]), true));
    await settled(client, replica);
    replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(1, OK_BLOCK, true));
    const next = await readMessage(replica, 3);
    expect(next.headers[0]).toContainEqual(["x-call", "5"]);
  });
});
