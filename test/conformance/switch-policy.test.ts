import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import { messageOf, statusOf } from "../support/raw-build.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import type { Field } from "../support/raw-http2/hpack-encoder.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const UPDATE_HISTORY = "/moby.buildkit.v1.Control/UpdateBuildHistory";

const PERMISSION_DENIED = "7";
const INVALID_ARGUMENT = "3";

const POLICY = `
policy:
  everybody:
    refuse: [UpdateBuildHistory.Delete]
    entitlements: [network.host]
`;

/** `UpdateBuildHistoryRequest`: Ref is field 1, Pinned 2, Delete 3. */
const PIN = Buffer.of(0x0a, 1, 0x72, 0x10, 1);
const DELETE = Buffer.of(0x0a, 1, 0x72, 0x18, 1);

const GZIP: Field = ["grpc-encoding", "gzip"];

/** A framed message, compressed. */
function packed(framed: Buffer, pack: (message: Buffer) => Buffer = gzipSync): Buffer {
  const message = grpcMessage(pack(framed.subarray(5)));
  message[0] = 1;
  return message;
}

async function answerTo(path: string, pieces: readonly Buffer[], fields: readonly Field[] = []) {
  const rig = await SwitchRig.start({ file: POLICY });
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(path, fields)));
  pieces.forEach((piece, index) => {
    client.send(dataFrame(1, piece, index === pieces.length - 1));
  });
  const answer = await readMessage(client, 1);
  return { status: statusOf(answer), message: messageOf(answer), leftBehind: rig.leftBehind };
}

describe("a build does not get an entitlement that is not for its caller", () => {
  const refused = solveMessage({ ref: "r", entitlements: ["network.host", "security.insecure"] });

  test.each<[string, readonly Buffer[], readonly Field[]]>([
    ["behind one that is", [refused], []],
    ["in a message that comes octet by octet", [...refused].map((octet) => Buffer.of(octet)), []],
    ["in a gzip-compressed message", [packed(refused)], [GZIP]],
    [
      "in two gzip members",
      [packed(refused, (m) => Buffer.concat([gzipSync(m.subarray(0, 9)), gzipSync(m.subarray(9))]))],
      [GZIP],
    ],
    ["in a deflate-compressed message", [packed(refused, deflateSync)], [["grpc-encoding", "deflate"]]],
    ["with a second message that asks for none", [refused, solveMessage({ ref: "r" })], []],
  ])("%s", async (_how, pieces, fields) => {
    const { status, message, leftBehind } = await answerTo(SOLVE, pieces, fields);
    expect([status, message]).toEqual([
      PERMISSION_DENIED,
      'policy rule "everybody" does not allow entitlement security.insecure',
    ]);
    expect(leftBehind).toEqual([[0], [0]]);
  });

  test.each<[string, Buffer, readonly Field[]]>([
    ["compression that is not known", packed(refused), [["grpc-encoding", "snappy"]]],
    ["compression that is not named", packed(refused), []],
    ["compression that two headers name", packed(refused), [["grpc-encoding", "identity"], GZIP]],
    [
      "a field number of more than 32 bits",
      grpcMessage(Buffer.concat([Buffer.of(0xca, 0x80, 0x80, 0x80, 0x80, 1, 0)])),
      [],
    ],
  ])("nor by %s, which nobody reads", async (_how, piece, fields) => {
    expect(await answerTo(SOLVE, [piece], fields)).toMatchObject({ status: INVALID_ARGUMENT, leftBehind: [[0], [0]] });
  });

  test("and one that is for its caller passes", async () => {
    const rig = await SwitchRig.start({ file: POLICY });
    const client = await rig.client();
    const body = solveMessage({ ref: "r", entitlements: ["network.host"] });
    client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, body, true));
    await readHeaders(await rig.replica.serve(), 1);
  });
});

describe("a record is not deleted", () => {
  test.each<[string, readonly Buffer[], readonly Field[]]>([
    ["plainly", [grpcMessage(DELETE)], []],
    ["in a gzip-compressed message", [packed(grpcMessage(DELETE))], [GZIP]],
    ["while it is pinned", [grpcMessage(Buffer.concat([PIN, DELETE]))], []],
    ["with a second message that pins", [grpcMessage(DELETE), grpcMessage(PIN)], []],
  ])("%s", async (_how, pieces, fields) => {
    expect(await answerTo(UPDATE_HISTORY, pieces, fields)).toMatchObject({
      status: PERMISSION_DENIED,
      message: 'policy rule "everybody" does not allow UpdateBuildHistory.Delete',
    });
  });

  test("by a second message behind one that pins", async () => {
    const { status } = await answerTo(UPDATE_HISTORY, [grpcMessage(PIN), grpcMessage(DELETE)]);
    // The façade takes one message alone.
    expect(status).toBe("12");
  });
});
