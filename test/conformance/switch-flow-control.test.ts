import { describe, expect, test } from "vitest";
import { expectKept, initialWindow, openCalls } from "../support/open-calls.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, headersFrame, MAX_WINDOW_BYTES, windowUpdateFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";
import { READING_WAYS, SwitchRig } from "../support/switch-rig.ts";

describe.each(READING_WAYS)("read $way", ({ parts }) => {
  test("RFC 9113 §6.9.1: a stream that its replica does not read stops at exactly the replica's window, and no other stream does", async () => {
    const rig = await SwitchRig.start({ parts });
    const { client, replica } = await openCalls(rig, 2, [], initialWindow(200_000));
    const body = Buffer.alloc(200_000, 1);
    await sendBody(client, 1, body, { isEndStream: false });
    await settled(client, replica);
    expect(client.flow.window(1)).toBe(0);

    const other = await rig.client();
    other.send(headersFrame(1, requestBlock()));
    const itsReplica = await rig.replica.serve();
    const bulk = bodyOf(1, 2_000_000);
    const [mine, theirs] = await Promise.all([
      readMessage(replica, 3, { isGranting: true }),
      readMessage(itsReplica, 1, { isGranting: true }),
      sendBody(client, 3, bulk),
      sendBody(other, 1, bulk),
    ]);
    expect(mine.body.equals(bulk)).toBe(true);
    expect(theirs.body.equals(bulk)).toBe(true);
    await settled(client, replica);
    expect(client.flow.window(1)).toBe(0);
    expectKept(replica, itsReplica);
  });

  test("RFC 9113 §6.9.1: an answer that its client does not read stops at exactly the client's window, and no other does", async () => {
    const rig = await SwitchRig.start({ parts });
    const { client, replica } = await openCalls(rig, 2, initialWindow(300_000));
    replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(3, RESPONSE_BLOCK));
    await sendBody(replica, 1, Buffer.alloc(300_000, 1), { isEndStream: false });
    await settled(client, replica);
    expect(replica.flow.window(1)).toBe(0);
    const bulk = bodyOf(2, 2_000_000);
    const [answer] = await Promise.all([readMessage(client, 3, { isGranting: true }), sendBody(replica, 3, bulk)]);
    expect(answer.body.equals(bulk)).toBe(true);
    expect(replica.flow.window(1)).toBe(0);
    expectKept(client);
  });

  test("4 of 8 streams that are never read do not hold up the other 4", async () => {
    const rig = await SwitchRig.start({ parts });
    const { client, replica } = await openCalls(rig, 8);
    const bulk = bodyOf(3, 1_000_000);
    for (const id of [1, 5, 9, 13]) await sendBody(client, id, Buffer.alloc(65_535), { isEndStream: false });
    const healthy = [3, 7, 11, 15];
    const read = healthy.map((id) => readMessage(replica, id, { isGranting: true }));
    await Promise.all(healthy.map((id) => sendBody(client, id, bulk)));
    for (const { body } of await Promise.all(read)) expect(body.equals(bulk)).toBe(true);
    expectKept(replica);
  });

  describe.each([0, 1, 1_000, 65_535, MAX_WINDOW_BYTES])(
    "RFC 9113 §6.9.2: a replica whose streams begin with a window of %i",
    (bytes) => {
      test.each([0, 1, MAX_WINDOW_BYTES])("and a client's of %i exchange bodies both ways", async (clientBytes) => {
        const rig = await SwitchRig.start({ parts });
        const { client, replica } = await openCalls(rig, 1, initialWindow(clientBytes), initialWindow(bytes));
        const up = bodyOf(4, 150_000);
        const down = bodyOf(5, 150_000);
        replica.send(headersFrame(1, RESPONSE_BLOCK));
        // Whoever begins with next to nothing opens its stream later.
        await settled(client, replica);
        if (bytes < 65_535) replica.send(windowUpdateFrame(1, 70_000));
        if (clientBytes < 65_535) client.send(windowUpdateFrame(1, 70_000));
        const [request, response] = await Promise.all([
          readMessage(replica, 1, { isGranting: true }),
          readMessage(client, 1, { isGranting: true }),
          sendBody(client, 1, up),
          sendBody(replica, 1, down, { isEndStream: false }).then(() => replica.send(headersFrame(1, OK_BLOCK, true))),
        ]);
        expect(request.body.equals(up)).toBe(true);
        expect(response.body.equals(down)).toBe(true);
        expect(response.headers).toHaveLength(2);
        expectKept(client, replica);
      });
    },
  );

  test("RFC 9113 §6.9: padding is given back: a body in heavily padded frames passes", async () => {
    const rig = await SwitchRig.start({ parts });
    const { client, replica } = await openCalls(rig, 1);
    const body = bodyOf(6, 40_000);
    const [request] = await Promise.all([
      readMessage(replica, 1, { isGranting: true }),
      sendBody(client, 1, body, { pieceBytes: 100, paddingBytes: 255 }),
    ]);
    expect(request.body.equals(body)).toBe(true);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    const [response] = await Promise.all([
      readMessage(client, 1, { isGranting: true }),
      sendBody(replica, 1, body, { pieceBytes: 100, paddingBytes: 255 }),
    ]);
    expect(response.body.equals(body)).toBe(true);
    expectKept(client, replica);
  });
});

describe("WINDOW_UPDATE (RFC 9113 §6.9)", () => {
  test("crosses the switch one to one, in both directions", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 1);
    for (const bytes of [1, 77, 1_000_000]) {
      replica.send(windowUpdateFrame(1, bytes));
      expect((await client.nextOf("WINDOW_UPDATE", 1)).payload.readUInt32BE(0)).toBe(bytes);
      client.send(windowUpdateFrame(1, bytes));
      expect((await replica.nextOf("WINDOW_UPDATE", 1)).payload.readUInt32BE(0)).toBe(bytes);
    }
  });
});

describe("RFC 9113 §6.9: DATA", () => {
  test("of a reset stream still counts on the connection, and is given back", async () => {
    const rig = await SwitchRig.start();
    const { client, replica } = await openCalls(rig, 1);
    const before = client.flow.connectionWindow;
    replica.send(windowUpdateFrame(1, MAX_WINDOW_BYTES));
    await client.nextOf("RST_STREAM", 1);
    // Late DATA of a stream that we reset is excused (RFC 9113 §5.1).
    const late = Buffer.alloc(16_384);
    for (let sent = 0; sent < before / 2 + 16_384; sent += late.length * 64) {
      client.send(...Array.from({ length: 64 }, () => dataFrame(1, late)));
      await settled(client);
    }
    expect(client.flow.connectionWindow).toBeGreaterThan(before / 2);
    await settled(client);
  }, 120_000);
});

describe("a connection window that is used up (RFC 9113 §6.9.1)", () => {
  test("holds streams up until it opens, then serves them all", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client(initialWindow(1_000_000));
    client.send(headersFrame(1, requestBlock(), true), headersFrame(3, requestBlock(), true));
    const replica = await rig.replica.serve();
    await readMessage(replica, 1);
    await readMessage(replica, 3);
    replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(3, RESPONSE_BLOCK));
    const body = bodyOf(9, 500_000);
    // The replica's side of the switch takes it all: the streams' windows are open.
    await Promise.all([sendBody(replica, 1, body), sendBody(replica, 3, body)]);
    await settled(client, replica);
    expect(client.flow.grantedWindow(1) + client.flow.grantedWindow(3)).toBe(2_000_000 - 65_535);
    const read = [readMessage(client, 1), readMessage(client, 3)];
    for (let granted = 65_535; granted < 1_000_000; granted += 31_000) client.send(windowUpdateFrame(0, 31_000));
    for (const message of await Promise.all(read)) expect(message.body.equals(body)).toBe(true);
    expectKept(client);
  });

  test("RFC 9113 §8.1: does not cut off an answer whose replica wants no more of the request", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client(initialWindow(1_000_000));
    client.send(headersFrame(1, requestBlock()));
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    const body = bodyOf(10, 200_000);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    await sendBody(replica, 1, body, { isEndStream: false });
    // RST_STREAM(NO_ERROR) after a whole answer: grpc-go's server does so where the client has not ended its side.
    replica.send(headersFrame(1, OK_BLOCK, true), Buffer.from("00000403000000000100000000", "hex"));
    await settled(client, replica);
    client.send(windowUpdateFrame(0, 1_000_000));
    const answer = await readMessage(client, 1);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.resetCode).toBeUndefined();
    expect((await readMessage(client, 1)).resetCode).toBe(0);
  });
});
