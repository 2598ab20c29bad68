import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  headersFrame,
  pingFrame,
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
import { readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { READING_WAYS, SwitchRig } from "../support/switch-rig.ts";

const BODY = Buffer.from("a body in three frames, none of which is long");

/** One whole request as a client may put it, in 200-odd octets: padding, priority, a split header block, an unknown frame. */
function requestBytes(streamId: number): Buffer {
  const block = requestBlock();
  const priority = Buffer.from([0, 0, 0, 0, 15]);
  return Buffer.concat([
    encodeFrame(FrameType.HEADERS, Flag.PRIORITY, streamId, Buffer.concat([priority, block.subarray(0, 40)])),
    encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, streamId, block.subarray(40)),
    encodeFrame(0xfa, 0xff, streamId, Buffer.from("unknown")),
    dataFrame(streamId, BODY.subarray(0, 5)),
    dataFrame(streamId, BODY.subarray(5, 20), false, 7),
    dataFrame(streamId, BODY.subarray(20)),
    dataFrame(streamId, Buffer.alloc(0), true),
  ]);
}

function responseBytes(streamId: number): Buffer {
  return Buffer.concat([
    encodeFrame(FrameType.HEADERS, 0, streamId, RESPONSE_BLOCK.subarray(0, 10)),
    encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, streamId, RESPONSE_BLOCK.subarray(10)),
    encodeFrame(0xfa, 0xff, 0, Buffer.from("unknown")),
    dataFrame(streamId, BODY.subarray(0, 5), false, 0),
    dataFrame(streamId, BODY.subarray(5, 20)),
    dataFrame(streamId, BODY.subarray(20), false, 3),
    headersFrame(streamId, OK_BLOCK, true),
  ]);
}

/** Write in two parts, such that whoever reads on this event loop reads them apart. */
async function sendInParts(peer: RawPeer, ...parts: readonly Buffer[]): Promise<void> {
  for (const part of parts) {
    peer.send(part);
    await turn();
    await turn();
  }
}

/** Open a call, so that the replica's side of this client's connection exists. */
async function joined(rig: SwitchRig): Promise<{ client: RawPeer; replica: RawPeer }> {
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(), true));
  const replica = await rig.replica.serve();
  await readMessage(replica, 1);
  replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(1, OK_BLOCK, true));
  await readMessage(client, 1);
  return { client, replica };
}

describe.each(READING_WAYS)("read $way", ({ parts }) => {
  test("a request that is cut in two at any octet reaches the replica whole", async () => {
    const { client, replica } = await joined(await SwitchRig.start({ parts }));
    for (let cut = 1, streamId = 3; cut < requestBytes(3).length; cut++, streamId += 2) {
      const bytes = requestBytes(streamId);
      await sendInParts(client, bytes.subarray(0, cut), bytes.subarray(cut));
      const request = await readMessage(replica, streamId);
      expect(request.headers, `cut at ${cut}`).toEqual([requestFields()]);
      expect(request.body.toString(), `cut at ${cut}`).toBe(BODY.toString());
    }
  });

  test("a response that is cut in two at any octet reaches the client whole", async () => {
    const { client, replica } = await joined(await SwitchRig.start({ parts }));
    for (let cut = 1, streamId = 3; cut < responseBytes(3).length; cut++, streamId += 2) {
      client.send(headersFrame(streamId, requestBlock(), true));
      await readMessage(replica, streamId);
      const bytes = responseBytes(streamId);
      await sendInParts(replica, bytes.subarray(0, cut), bytes.subarray(cut));
      const response = await readMessage(client, streamId);
      expect(response.headers, `cut at ${cut}`).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
      expect(response.body.toString(), `cut at ${cut}`).toBe(BODY.toString());
    }
  });

  test("a call whose octets come one by one, in both directions, is the same call", async () => {
    const { client, replica } = await joined(await SwitchRig.start({ parts }));
    await sendInParts(client, ...[...requestBytes(3)].map((octet) => Buffer.of(octet)));
    const request = await readMessage(replica, 3);
    expect([request.headers, request.body.toString()]).toEqual([[requestFields()], BODY.toString()]);
    await sendInParts(replica, ...[...responseBytes(3)].map((octet) => Buffer.of(octet)));
    const response = await readMessage(client, 3);
    expect([response.headers, response.body.toString()]).toEqual([[RESPONSE_FIELDS, OK_FIELDS], BODY.toString()]);
  });

  test("a preface that is cut in two at any octet begins a connection", async () => {
    const rig = await SwitchRig.start({ parts });
    const hello = Buffer.concat([CLIENT_PREFACE, settingsFrame([[1, 0]]), windowUpdateFrame(0, 1)]);
    for (let cut = 1; cut < hello.length; cut++) {
      const client = await rig.silentClient();
      await sendInParts(client, hello.subarray(0, cut), hello.subarray(cut));
      await settled(client);
      await client.destroy();
    }
  });

  test("the first frame a client reads is SETTINGS, even where its own first write asks for more", async () => {
    const rig = await SwitchRig.start({ parts });
    const client = await rig.silentClient();
    client.send(CLIENT_PREFACE, settingsFrame(), pingFrame(Buffer.alloc(8)), headersFrame(1, requestBlock(), true));
    const first = await client.next(() => true);
    expect([first.type, first.flags]).toEqual([FrameType.SETTINGS, 0]);
  });

  test("frames of one write to many streams, with everything between them, all arrive in order", async () => {
    const { client, replica } = await joined(await SwitchRig.start({ parts }));
    const ids = Array.from({ length: 40 }, (_, i) => 3 + 2 * i);
    client.send(...ids.map((id) => headersFrame(id, requestBlock())));
    const rounds = Array.from({ length: 25 }, (_, round) =>
      ids.map((id) => dataFrame(id, Buffer.from(`${id}:${round};`), round === 24, round % 5 === 0 ? round : undefined)),
    );
    client.send(...rounds.flat());
    for (const id of ids) {
      const { body } = await readMessage(replica, id);
      expect(body.toString()).toBe(Array.from({ length: 25 }, (_, round) => `${id}:${round};`).join(""));
    }
  });
});
