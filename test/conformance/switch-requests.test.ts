import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { SOLVE, STATUS, solveMessage, statusMessage } from "../support/build-calls.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, headersFrame, Setting } from "../support/raw-http2/frames.ts";
import { RESPONSE_FIELDS, requestBlock, requestFields } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, type RawMessage, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const statusOf = ({ headers }: RawMessage) => fieldOf(headers.at(-1), "grpc-status");
const messageOf = ({ headers }: RawMessage) => fieldOf(headers.at(-1), "grpc-message") ?? "";

function withField(name: string, value: string): Field[] {
  return requestFields().map((field) => (field[0] === name ? [name, value] : field));
}

/** Send one call as it is, and read its answer. The connection must still serve others afterwards. */
async function answerTo(rig: SwitchRig, block: Buffer, body?: Buffer): Promise<RawMessage> {
  const client = await rig.client();
  client.send(headersFrame(1, block, body === undefined));
  if (body) await sendBody(client, 1, body);
  const answer = await readMessage(client, 1);
  await settled(client);
  return answer;
}

describe("a request that is not gRPC (RFC 9113 §8.1, §8.5; gRPC Requests)", () => {
  test.each(["GET", "PUT", "OPTIONS", "CONNECT"])("by its method, %s, is answered with 405", async (method) => {
    const rig = await SwitchRig.start();
    const fields =
      method === "CONNECT"
        ? [[":method", "CONNECT"] as const, [":authority", "x:1"] as const]
        : withField(":method", method);
    const { headers, body } = await answerTo(rig, encodeFields(fields));
    expect(headers).toEqual([
      [
        [":status", "405"],
        ["allow", "POST"],
      ],
    ]);
    expect(body).toHaveLength(0);
  });

  test.each(["application/json", "application/grpc-web", "application/grpcx", ""])(
    "by its content type, %j, is answered with 415",
    async (type) => {
      const rig = await SwitchRig.start();
      const { headers } = await answerTo(rig, encodeFields(withField("content-type", type)));
      expect(fieldOf(headers[0], ":status")).toBe("415");
    },
  );

  test.each(["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])(
    "is told from one that is: %s passes",
    async (type) => {
      const rig = await SwitchRig.start();
      const client = await rig.client();
      client.send(headersFrame(1, encodeFields(withField("content-type", type)), true));
      const replica = await rig.replica.serve();
      expect(fieldOf((await readMessage(replica, 1)).headers[0], "content-type")).toBe(type);
    },
  );

  test("is not asked for the rest of its body", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(
      headersFrame(1, encodeFields(withField("content-type", "text/plain"))),
      dataFrame(1, Buffer.alloc(999)),
    );
    expect(fieldOf((await readMessage(client, 1)).headers[0], ":status")).toBe("415");
    expect((await client.nextOf("RST_STREAM", 1)).payload.readUInt32BE(0)).toBe(0);
  });

  test("and is whole, is not reset after its answer", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, encodeFields(withField("content-type", "text/plain")), true));
    client.send(
      headersFrame(3, encodeFields(withField("content-type", "text/plain"))),
      dataFrame(3, Buffer.from("x"), true),
    );
    await readMessage(client, 1);
    await settled(client);
    expect(client.received.filter(({ type, streamId }) => type === 3 && streamId === 1)).toEqual([]);
  });
});

test("a method that the gateway does not know goes to a replica, whose UNIMPLEMENTED comes back", async () => {
  const rig = await SwitchRig.start();
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock("/some.Service/NoMethod")), dataFrame(1, Buffer.alloc(5), true));
  const replica = await rig.replica.serve();
  expect(fieldOf((await readMessage(replica, 1)).headers[0], ":path")).toBe("/some.Service/NoMethod");
  const unimplemented: Field[] = [...RESPONSE_FIELDS, ["grpc-status", "12"], ["grpc-message", "unknown service"]];
  replica.send(headersFrame(1, encodeFields(unimplemented), true));
  expect((await readMessage(client, 1)).headers).toEqual([unimplemented]);
});

describe("a Solve that cannot be read (gRPC Length-Prefixed-Message, gRPC Compressed-Flag)", () => {
  const framed = (flag: number, payload: Buffer): Buffer => {
    const prefix = Buffer.alloc(5);
    prefix[0] = flag;
    prefix.writeUInt32BE(payload.length, 1);
    return Buffer.concat([prefix, payload]);
  };

  test.each<[string, Buffer, RegExp]>([
    ["random octets", bodyOf(1, 300), /cannot read/],
    ["a message of random octets", framed(0, bodyOf(2, 300)), /cannot read the solve request/],
    ["a message without a ref", framed(0, Buffer.of(0x2a, 1, 0x41)), /field 1 \(Ref\) is missing/],
    ["a message whose field goes past its end", framed(0, Buffer.of(0x0a, 50, 0x41)), /cannot read the solve request/],
    ["a compressed message without an encoding", framed(1, Buffer.from("x")), /grpc-encoding/],
    ["a flag that gRPC does not have", framed(7, Buffer.from("x")), /message flag 7/],
    ["a message cut short", solveMessage({ ref: "abcdef" }).subarray(0, -2), /ended inside its message/],
    ["half a prefix", Buffer.alloc(3), /ended inside its message/],
    ["nothing", Buffer.alloc(0), /ended inside its message/],
  ])("because it is %s is answered with INVALID_ARGUMENT that says so", async (_name, body, message) => {
    const rig = await SwitchRig.start();
    const answer = await answerTo(rig, requestBlock(SOLVE), body);
    expect(statusOf(answer)).toBe("3");
    expect(decodeURIComponent(messageOf(answer))).toMatch(message);
    expect(rig.replica.waiting).toBe(0);
  });

  test("because it has a header list and no body is answered too", async () => {
    const rig = await SwitchRig.start();
    const answer = await answerTo(rig, requestBlock(SOLVE));
    expect(statusOf(answer)).toBe("3");
  });

  test("because it is not what its encoding says is answered with INVALID_ARGUMENT", async () => {
    const rig = await SwitchRig.start();
    const block = requestBlock(SOLVE, [["grpc-encoding", "gzip"]]);
    const answer = await answerTo(rig, block, framed(1, Buffer.from("this is not gzip")));
    expect([statusOf(answer), messageOf(answer)]).toEqual(["3", expect.stringContaining("gzip")]);
  });

  test("because it is over limits.solveBytes is answered with RESOURCE_EXHAUSTED before it has been sent", async () => {
    const rig = await SwitchRig.start({ settings: { LIMITS_SOLVE_BYTES: "64KiB" } });
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, framed(0, Buffer.alloc(100_000)).subarray(0, 20)));
    const answer = await readMessage(client, 1);
    expect([statusOf(answer), messageOf(answer)]).toEqual(["8", expect.stringContaining("limits.solveBytes")]);
    expect((await client.nextOf("RST_STREAM", 1)).payload.readUInt32BE(0)).toBe(0);
  });

  test("because it unpacks to more than limits.solveBytes is answered with INVALID_ARGUMENT", async () => {
    const rig = await SwitchRig.start({ settings: { LIMITS_SOLVE_BYTES: "64KiB" } });
    const block = requestBlock(SOLVE, [["grpc-encoding", "gzip"]]);
    const answer = await answerTo(rig, block, framed(1, gzipSync(Buffer.alloc(50_000_000))));
    expect(statusOf(answer)).toBe("3");
  });

  test("leaves the other calls of its client alone", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(
      headersFrame(1, requestBlock()),
      headersFrame(3, requestBlock(SOLVE)),
      dataFrame(3, Buffer.alloc(9, 9), true),
    );
    expect(statusOf(await readMessage(client, 3))).toBe("3");
    const replica = await rig.replica.serve();
    client.send(dataFrame(1, Buffer.from("fine"), true));
    expect((await readMessage(replica, 1)).body.toString()).toBe("fine");
  });
});

describe("a Solve that can be read (gRPC Length-Prefixed-Message)", () => {
  const message = solveMessage({ ref: "ref1", buildSession: "session1", attrs: { "vcs:source": "https://host/a/b" } });

  async function expectPassed(block: Buffer, body: Buffer, send: (client: RawPeer) => void): Promise<void> {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, block));
    send(client);
    const replica = await rig.replica.serve();
    const request = await readMessage(replica, 1);
    expect(request.body.equals(body)).toBe(true);
  }

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
  ] as const)("is read where it is compressed with %s, and passed on as it came", async (encoding, compress) => {
    const packed = compress(message.subarray(5));
    const body = Buffer.concat([Buffer.alloc(5), packed]);
    body[0] = 1;
    body.writeUInt32BE(packed.length, 1);
    await expectPassed(requestBlock(SOLVE, [["grpc-encoding", encoding]]), body, (client) => {
      client.send(dataFrame(1, body, true));
    });
  });

  test("is read where it comes octet by octet, padded", async () => {
    await expectPassed(requestBlock(SOLVE), message, (client) => {
      for (let i = 0; i < message.length; i++)
        client.send(dataFrame(1, message.subarray(i, i + 1), i === message.length - 1, i % 5));
    });
  });

  test("is read where its client ends it with trailers", async () => {
    await expectPassed(requestBlock(SOLVE), message, (client) => {
      client.send(dataFrame(1, message), headersFrame(1, encodeFields([["x-end", "1"]]), true));
    });
  });

  test("need not have ended to be placed", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, message));
    const replica = await rig.replica.serve([[Setting.INITIAL_WINDOW_SIZE, 65_535]]);
    await replica.nextOf("DATA", 1);
    client.send(dataFrame(1, Buffer.alloc(0), true));
    await readMessage(replica, 1);
  });
});

test("a Status that cannot be read is answered with INVALID_ARGUMENT", async () => {
  const rig = await SwitchRig.start();
  const answer = await answerTo(rig, requestBlock(STATUS), Buffer.concat([Buffer.of(0, 0, 0, 0, 2, 0x0a, 0xff)]));
  expect([statusOf(answer), messageOf(answer)]).toEqual(["3", expect.stringContaining("status request")]);
});

test("a Status larger than any real one is answered with RESOURCE_EXHAUSTED", async () => {
  const rig = await SwitchRig.start();
  const answer = await answerTo(rig, requestBlock(STATUS), statusMessage("r".repeat(60_000)).fill(9, 1, 2));
  expect(statusOf(answer)).toBe("8");
});
