import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import { endOf, messagesOf, statusOf } from "../support/raw-build.ts";
import { ping, settled } from "../support/raw-http2/barrier.ts";
import { Code } from "../support/raw-http2/error-code.ts";
import { dataFrame, FrameType, headersFrame, rstStreamFrame } from "../support/raw-http2/frames.ts";
import {
  OK_BLOCK,
  OK_FIELDS,
  RESPONSE_BLOCK,
  RESPONSE_FIELDS,
  requestBlock,
  requestFields,
} from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { SwitchRig } from "../support/switch-rig.ts";
import { SIDES, TwoSides } from "../support/two-sides.ts";

// The chapters are those of grpc/grpc, doc/PROTOCOL-HTTP2.md.

/** Methods that the gateway answers by itself. */
const HEALTH_CHECK = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH = "/grpc.health.v1.Health/Watch";
const NO_BODY = grpcMessage(Buffer.alloc(0));
/** `HealthCheckResponse` whose status is SERVING. */
const SERVING = Buffer.of(0x08, 1);

/** A client's request of one list of fields, as the replica reads it. */
async function crossed(fields: readonly Field[]): Promise<Field[]> {
  const { client, replica } = await TwoSides.meet("client");
  client.send(headersFrame(7, encodeFields(fields), true));
  return readHeaders(replica, 7);
}

/** A replica's answer, as the client reads it. */
async function answered(...frames: Buffer[]) {
  const { client, replica } = await TwoSides.meet("replica");
  replica.send(...frames);
  return readMessage(client, 5);
}

describe("gRPC Requests", () => {
  test("gRPC Requests: a whole call definition crosses as it is, te and timeout included", async () => {
    const fields: Field[] = [
      [":method", "POST"],
      [":scheme", "https"],
      [":path", "/google.pubsub.v2.PublisherService/CreateTopic"],
      [":authority", "pubsub.googleapis.com"],
      ["grpc-timeout", "1S"],
      ["content-type", "application/grpc+proto"],
      ["te", "trailers"],
      ["grpc-message-type", "google.pubsub.v2.Topic"],
      ["grpc-encoding", "gzip"],
      ["grpc-accept-encoding", "identity,deflate,gzip"],
      ["user-agent", "grpc-java-android/0.9.1 (gingerbread/1.2.4; nexus5; tmobile)"],
      ["authorization", "Bearer y235.wef315yfh138vh31hv93hv8h3v"],
    ];
    expect(await crossed(fields)).toEqual(fields);
  });

  test.each(["1H", "99999999M", "15S", "250m", "1u", "99999999n"])(
    "gRPC Requests: a timeout of %s is for the replica to keep",
    async (timeout) => {
      expect(await crossed(requestFields(undefined, [["grpc-timeout", timeout]]))).toContainEqual([
        "grpc-timeout",
        timeout,
      ]);
    },
  );

  test.each(["/service/method", "/a.b.C/d/e", "/moby.buildkit.v1.control/solve", "/x"])(
    "gRPC Requests: the path %s crosses, its case kept",
    async (path) => {
      expect(fieldOf(await crossed(requestFields(path)), ":path")).toBe(path);
    },
  );

  test("gRPC Requests: te may be missing: whether that is served is for the replica to say", async () => {
    const fields = requestFields().filter(([name]) => name !== "te");
    expect(await crossed(fields)).toEqual(fields);
  });

  test("gRPC Requests: custom metadata crosses to the octet: repeated, joined, binary with and without padding", async () => {
    const metadata: Field[] = [
      ["trace-proto-bin", "jher831yy13JHy3hc"],
      ["trace-proto-bin", "AAEC/w=="],
      ["joined-bin", "AAEC,AwQF"],
      ["empty-bin", ""],
      [
        "x_y-z.0",
        Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i))
          .join("")
          .trim(),
      ],
      ["x-repeated", "1"],
      ["x-other", "between"],
      ["x-repeated", "2"],
      ["grpc-reserved", "as it is"],
    ];
    expect(await crossed(requestFields(undefined, metadata))).toEqual(requestFields(undefined, metadata));
  });

  test("gRPC Requests: a request without a message may end with its headers, or with empty DATA", async () => {
    const { client, replica } = await TwoSides.meet("client");
    client.send(
      headersFrame(7, requestBlock(), true),
      headersFrame(9, requestBlock()),
      dataFrame(9, Buffer.alloc(0), true),
    );
    for (const id of [7, 9]) expect((await readMessage(replica, id)).body).toHaveLength(0);
  });
});

describe("gRPC Length-Prefixed-Message", () => {
  const [first, second] = [grpcMessage(Buffer.from("first")), grpcMessage(Buffer.from("second"))];

  test.each(SIDES)(
    "gRPC Length-Prefixed-Message: the frames of a %s's DATA need not be those of its messages",
    async (side) => {
      const { sender, other } = await TwoSides.meet(side);
      const octets = [...first].map((octet) => dataFrame(1, Buffer.of(octet)));
      sender.send(...octets, dataFrame(1, Buffer.concat([second, first, second.subarray(0, 3)])));
      sender.send(dataFrame(1, second.subarray(3)), headersFrame(1, OK_BLOCK, true));
      const texts = messagesOf((await readMessage(other, 1)).body).map(String);
      expect(texts).toEqual(["first", "second", "first", "second"]);
    },
  );

  test("gRPC Length-Prefixed-Message: a message to the gateway itself may come octet by octet", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(HEALTH_CHECK)));
    client.send(...[...NO_BODY].map((octet) => dataFrame(1, Buffer.of(octet))), dataFrame(1, Buffer.alloc(0), true));
    expect(messagesOf((await readMessage(client, 1)).body)).toEqual([SERVING]);
  });

  test.each<[what: string, encoding: string | undefined, flag: number, payload: (message: Buffer) => Buffer]>([
    ["as it is, whatever its encoding", "gzip", 0, (message) => message],
    ["compressed by its encoding", "gzip", 1, (message) => gzipSync(message)],
    ["as it is, without an encoding", undefined, 0, (message) => message],
  ])("gRPC Compressed-Flag: a message that the gateway reads may come %s", async (_what, encoding, flag, payload) => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    const body = grpcMessage(payload(solveMessage({ ref: "r" }).subarray(5)));
    body[0] = flag;
    client.send(
      headersFrame(1, requestBlock(SOLVE, encoding ? [["grpc-encoding", encoding]] : [])),
      dataFrame(1, body, true),
    );
    expect((await readMessage(await rig.replica.serve(), 1)).body).toEqual(body);
  });
});

describe("gRPC Responses", () => {
  test("gRPC Responses: headers, messages and trailers cross, each in its own list", async () => {
    const response: Field[] = [
      [":status", "200"],
      ["grpc-encoding", "gzip"],
      ["content-type", "application/grpc+proto"],
    ];
    const trailers: Field[] = [
      ["grpc-status", "0"],
      ["trace-proto-bin", "jher831yy13JHy3hc"],
    ];
    const { headers, body } = await answered(
      headersFrame(5, encodeFields(response)),
      dataFrame(5, grpcMessage(Buffer.from("message"))),
      headersFrame(5, encodeFields(trailers), true),
    );
    expect([headers, messagesOf(body).map(String)]).toEqual([[response, trailers], ["message"]]);
  });

  test("gRPC Trailers-Only: a status and its details cross in one list", async () => {
    const fields: Field[] = [
      ...RESPONSE_FIELDS,
      ["grpc-status", "5"],
      ["grpc-message", "no such job"],
      ["grpc-status-details-bin", "CAU"],
    ];
    expect((await answered(headersFrame(5, encodeFields(fields), true))).headers).toEqual([fields]);
  });

  test.each<[what: string, response: Field[]]>([
    [
      "is not 200",
      [
        [":status", "503"],
        ["content-type", "text/html"],
      ],
    ],
    [
      "is one of gRPC's, and no status follows",
      [
        [":status", "200"],
        ["content-type", "application/grpc"],
      ],
    ],
    [
      "is 200 of another content type",
      [
        [":status", "200"],
        ["content-type", "text/plain"],
        ["grpc-status", "3"],
      ],
    ],
  ])(
    "gRPC Responses: an answer whose HTTP status %s crosses as it is: what it means is the client's to say",
    async (_what, response) => {
      const { headers, body } = await answered(
        headersFrame(5, encodeFields(response)),
        dataFrame(5, Buffer.from("text"), true),
      );
      expect([headers, body.toString()]).toEqual([[response], "text"]);
    },
  );

  test.each(["a%20b", "100%", "%zz%C3%BC", "plain", "%E2%82"])(
    "gRPC Status-Message: %j crosses undecoded, be it well encoded or not",
    async (message) => {
      const fields: Field[] = [...RESPONSE_FIELDS, ["grpc-status", "2"], ["grpc-message", message]];
      expect((await answered(headersFrame(5, encodeFields(fields), true))).headers).toEqual([fields]);
    },
  );

  test("gRPC Trailers-Only: an error of the gateway's is one list: HTTP status, content type, status, message", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE), true));
    const { headers, pieces } = await readMessage(client, 1);
    expect(headers).toHaveLength(1);
    expect(headers[0]!.map(([name]) => name)).toEqual([":status", "content-type", "grpc-status", "grpc-message"]);
    expect(headers[0]!.slice(0, 3)).toEqual([...RESPONSE_FIELDS, ["grpc-status", "3"]]);
    expect(pieces).toEqual([]);
  });

  test("gRPC Status-Message: what the gateway says is percent-encoded: %, and all but printable ASCII", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    const body = Buffer.of(1, 0, 0, 0, 0);
    client.send(headersFrame(1, requestBlock(SOLVE, [["grpc-encoding", "100% \xfc~"]])), dataFrame(1, body, true));
    const message = fieldOf((await readMessage(client, 1)).headers[0], "grpc-message");
    expect(message).toMatch(/grpc-encoding "100%25 %C3%BC~"/);
    expect(message).toMatch(/^([\x20-\x24\x26-\x7e]|%[0-9A-F]{2})*$/);
  });

  test("gRPC Responses: an answer of the gateway's own has headers, messages and trailers", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(HEALTH_CHECK)), dataFrame(1, NO_BODY, true));
    const { headers, body } = await readMessage(client, 1);
    expect(headers).toHaveLength(2);
    expect([fieldOf(headers[0], ":status"), fieldOf(headers[0], "content-type")]).toEqual([
      "200",
      "application/grpc+proto",
    ]);
    expect(messagesOf(body)).toEqual([SERVING]);
    expect(fieldOf(headers[1], "grpc-status")).toBe("0");
  });
});

describe("gRPC Early Server Closure", () => {
  test("gRPC Early Server Closure: trailers of the gateway's are followed by RST_STREAM(NO_ERROR), and by nothing", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, Buffer.of(9, 0, 0, 0, 0)));
    expect(statusOf(await readMessage(client, 1))).toBe("3");
    expect((await client.nextOf("RST_STREAM", 1)).payload.readUInt32BE(0)).toBe(Code.NO_ERROR);
    client.send(dataFrame(1, Buffer.from("late"), true));
    await ping(client);
    expect(client.received.filter(({ streamId }) => streamId === 1)).toEqual([]);
  });

  test("gRPC Early Server Closure: a replica's RST_STREAM(NO_ERROR) comes behind its trailers", async () => {
    const { client, replica } = await TwoSides.meet("replica");
    replica.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true), rstStreamFrame(5, Code.NO_ERROR));
    const message = await readMessage(client, 5);
    expect([message.headers, message.resetCode]).toEqual([[RESPONSE_FIELDS, OK_FIELDS], undefined]);
    expect((await client.nextOf("RST_STREAM", 5)).payload.readUInt32BE(0)).toBe(Code.NO_ERROR);
  });

  test("gRPC Early Server Closure: a client's RST_STREAM(NO_ERROR), after trailers that came early, crosses", async () => {
    const { client, replica } = await TwoSides.meet("replica");
    replica.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true));
    await readMessage(client, 5);
    client.send(rstStreamFrame(5, Code.NO_ERROR));
    expect((await replica.nextOf("RST_STREAM", 5)).payload.readUInt32BE(0)).toBe(Code.NO_ERROR);
  });
});

describe("gRPC Client Cancellation", () => {
  test("gRPC Client Cancellation: RST_STREAM(CANCEL) reaches the replica, and nothing after it", async () => {
    const { client, replica } = await TwoSides.meet("client");
    client.send(dataFrame(1, Buffer.from("x")), rstStreamFrame(1, Code.CANCEL));
    expect((await replica.nextOf("DATA", 1)).payload.toString()).toBe("x");
    expect((await replica.nextOf("RST_STREAM", 1)).payload.readUInt32BE(0)).toBe(Code.CANCEL);
    await settled(client, replica);
    expect(replica.received.filter(({ streamId }) => streamId === 1)).toEqual([]);
  });

  test("gRPC Client Cancellation: ends a call that the gateway answers, and no other", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(HEALTH_WATCH)), dataFrame(1, NO_BODY, true));
    await client.nextOf("DATA", 1);
    client.send(
      rstStreamFrame(1, Code.CANCEL),
      headersFrame(3, requestBlock(HEALTH_CHECK)),
      dataFrame(3, NO_BODY, true),
    );
    expect(await endOf(client, 3)).toBe("0");
    expect(client.received.filter(({ streamId, type }) => streamId === 1 && type === FrameType.HEADERS)).toHaveLength(
      1,
    );
  });

  test("gRPC Client Cancellation: a deadline that is over ends a call that the gateway answers with DEADLINE_EXCEEDED", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(HEALTH_WATCH, [["grpc-timeout", "1m"]])), dataFrame(1, NO_BODY, true));
    expect(await endOf(client, 1)).toBe("4");
  });
});

describe("gRPC Errors", () => {
  test("gRPC Errors: a replica's connection that fails is UNAVAILABLE to each of its calls, begun or not", async () => {
    const { client, replica } = await TwoSides.meet("replica");
    await replica.destroy();
    expect(await endOf(client, 1)).toBe("14");
    expect(await endOf(client, 5)).toBe("14");
    await settled(client);
  });

  test("gRPC Errors: a client's connection that fails is a cancel of each of its calls", async () => {
    const { client, replica } = await TwoSides.meet("client");
    await client.destroy();
    for (const id of [1, 5]) expect((await replica.nextOf("RST_STREAM", id)).payload.readUInt32BE(0)).toBe(Code.CANCEL);
  });
});
