import { describe, expect, test } from "vitest";
import { settled } from "../support/raw-http2/barrier.ts";
import { Code } from "../support/raw-http2/error-code.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import {
  OK_BLOCK,
  OK_FIELDS,
  RESPONSE_BLOCK,
  RESPONSE_FIELDS,
  requestFields,
} from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { SIDES, TwoSides } from "../support/two-sides.ts";

const { PROTOCOL_ERROR } = Code;

const without = (name: string): Field[] => requestFields().filter(([known]) => known !== name);
const instead = (name: string, value: string): Field[] =>
  requestFields().map((field) => (field[0] === name ? [name, value] : field));

/** Section of RFC 9113, what is wrong, and fields that no list may have. */
type FieldRule = [section: string, what: string, field: Field];

/** Fields that make any header list malformed: a request's, a response's, trailers. */
const BAD_FIELDS: readonly FieldRule[] = [
  ["§8.2", "an upper case name", ["X-Upper", "1"]],
  ["§8.2.1", "a name with a space", ["x y", "1"]],
  ["§8.2.1", "a name with a colon in it", ["x:y", "1"]],
  ["§8.2.1", "a name with NUL", ["x\0", "1"]],
  ["§8.2.1", "a name with DEL", ["x\x7f", "1"]],
  ["§8.2.1", "a name beyond ASCII", ["x\xe9", "1"]],
  ["§8.2.1", "an empty name", ["", "1"]],
  ["§8.2.1", "a value with a line feed", ["x", "a\nb"]],
  ["§8.2.1", "a value with a carriage return", ["x", "a\rb"]],
  ["§8.2.1", "a value with NUL", ["x", "a\0b"]],
  ["§8.2.1", "a value that begins with a space", ["x", " a"]],
  ["§8.2.1", "a value that ends with a tab", ["x", "a\t"]],
  ["§8.2.2", "a connection field", ["connection", "keep-alive"]],
  ["§8.2.2", "a proxy-connection field", ["proxy-connection", "keep-alive"]],
  ["§8.2.2", "a keep-alive field", ["keep-alive", "5"]],
  ["§8.2.2", "a transfer-encoding field", ["transfer-encoding", "chunked"]],
  ["§8.2.2", "an upgrade field", ["upgrade", "h2c"]],
  ["§8.2.2", "te other than trailers", ["te", "trailers, gzip"]],
  ["§8.3", "a pseudo-header that does not exist", [":protocol", "x"]],
];

describe("a malformed request ends with RST_STREAM and PROTOCOL_ERROR, and never reaches a replica (RFC 9113 §8.1.1)", () => {
  test.each<[section: string, what: string, fields: readonly Field[]]>([
    ...BAD_FIELDS.map(([section, what, field]): [string, string, Field[]] => [
      section,
      what,
      field[0].startsWith(":") ? [field, ...requestFields()] : [...requestFields(), field],
    ]),
    ["§8.3", "a response's pseudo-header", [[":status", "200"], ...requestFields()]],
    ["§8.3", "a pseudo-header behind a field", [...without(":path"), [":path", "/a/B"]]],
    ["§8.3", "two :method", [[":method", "POST"], ...requestFields()]],
    ["§8.3", "two :scheme", [[":scheme", "http"], ...requestFields()]],
    ["§8.3", "two :path", [[":path", "/a/B"], ...requestFields()]],
    ["§8.3", "two :authority", [[":authority", "test"], ...requestFields()]],
    ["§8.3", "a pseudo-header with a line feed", instead(":path", "/a\n/b")],
    ["§8.3.1", "no :method", without(":method")],
    ["§8.3.1", "no :scheme", without(":scheme")],
    ["§8.3.1", "no :path", without(":path")],
    ["§8.3.1", "an empty :path", instead(":path", "")],
    // grpc-go before 1.79.3 serves it (CVE-2026-33186), and no rule of a policy would have named it.
    ["§8.3.1", "a :path without its slash", instead(":path", "moby.buildkit.v1.Control/Prune")],
    ["§8.3.1", "the :path of OPTIONS alone", instead(":path", "*")],
    ["§8.3.1", "nothing in it", []],
    ["§8.5", "CONNECT with :scheme and :path", instead(":method", "CONNECT")],
    ["§8.5", "CONNECT without :authority", [[":method", "CONNECT"]]],
  ])("%s: %s", async (_section, _what, fields) => {
    const sides = await TwoSides.meet("client");
    sides.client.send(headersFrame(7, encodeFields(fields)));
    await sides.expectStreamError(7, PROTOCOL_ERROR);
  });
});

describe("a malformed response ends with RST_STREAM and PROTOCOL_ERROR, and never reaches its client (RFC 9113 §8.1.1)", () => {
  const interim = encodeFields([[":status", "103"]]);

  test.each<[section: string, what: string, frames: Buffer]>([
    ...BAD_FIELDS.map(([section, what, field]): [string, string, Buffer] => [
      section,
      what,
      headersFrame(
        5,
        encodeFields(field[0].startsWith(":") ? [field, ...RESPONSE_FIELDS] : [...RESPONSE_FIELDS, field]),
      ),
    ]),
    [
      "§8.3",
      "a request's pseudo-header",
      headersFrame(5, encodeFields([...RESPONSE_FIELDS.slice(0, 1), [":path", "/"]])),
    ],
    ["§8.3", ":status behind a field", headersFrame(5, encodeFields([...RESPONSE_FIELDS].reverse()))],
    ["§8.3", "two :status", headersFrame(5, encodeFields([[":status", "200"], ...RESPONSE_FIELDS]))],
    ["§8.3.2", "no :status", headersFrame(5, encodeFields(RESPONSE_FIELDS.slice(1)))],
    ["§8.3.2", "no :status, and its end", headersFrame(5, OK_BLOCK, true)],
    ["§8.3.2", "a :status that is no number", headersFrame(5, encodeFields([[":status", "ok"]]))],
    ["§8.3.2", "nothing in it", headersFrame(5, Buffer.alloc(0))],
    ["§8.1", "DATA before HEADERS", dataFrame(5, Buffer.from("early"))],
    ["§8.1", "empty DATA that ends it before HEADERS", dataFrame(5, Buffer.alloc(0), true)],
    [
      "§8.1",
      "DATA behind an interim response",
      Buffer.concat([headersFrame(5, interim), dataFrame(5, Buffer.from("x"))]),
    ],
    [
      "§8.1",
      "trailers behind an interim response",
      Buffer.concat([headersFrame(5, interim), headersFrame(5, OK_BLOCK, true)]),
    ],
    ["§8.1", "an interim response that ends it", headersFrame(5, interim, true)],
    ["§8.6", "a :status of 101", headersFrame(5, encodeFields([[":status", "101"]]))],
  ])("%s: %s", async (_section, _what, frames) => {
    const sides = await TwoSides.meet("replica");
    sides.replica.send(frames);
    await sides.expectStreamError(5, PROTOCOL_ERROR);
  });

  test.each<[section: string, what: string, frame: Buffer]>([
    ["§8.1", "a second response", headersFrame(1, RESPONSE_BLOCK)],
    ["§8.1", "a second response that ends it", headersFrame(1, RESPONSE_BLOCK, true)],
    ["§8.1", "an interim response behind the response", headersFrame(1, interim)],
  ])("%s: %s", async (_section, _what, frame) => {
    const sides = await TwoSides.meet("replica");
    sides.replica.send(frame);
    await sides.expectStreamError(1, PROTOCOL_ERROR);
  });
});

describe.each(SIDES)("malformed trailers of a %s's end with RST_STREAM and PROTOCOL_ERROR (RFC 9113 §8.1)", (side) => {
  test.each<FieldRule>([
    ...BAD_FIELDS,
    ["§8.3", "a request's pseudo-header", [":path", "/x"]],
    ["§8.3", "a response's pseudo-header", [":status", "200"]],
  ])("%s: %s", async (_section, _what, field) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(headersFrame(1, encodeFields(field[0].startsWith(":") ? [field] : [...OK_FIELDS, field]), true));
    await sides.expectStreamError(1, PROTOCOL_ERROR);
  });
});

/** A message of stream 7 (a request) or 5 (a response), with this `content-length`. */
function begin(side: "client" | "replica", lengths: readonly string[], isEndStream = false, status = "200"): Buffer {
  const more = lengths.map((length): Field => ["content-length", length]);
  return side === "client"
    ? headersFrame(7, encodeFields(requestFields(undefined, more)), isEndStream)
    : headersFrame(5, encodeFields([[":status", status], ["content-type", "application/grpc"], ...more]), isEndStream);
}

describe.each(SIDES)("content-length of a %s's message", (side) => {
  const id = side === "client" ? 7 : 5;
  const data = (text: string, isEndStream = false, padding?: number): Buffer =>
    dataFrame(id, Buffer.from(text), isEndStream, padding);
  const trailers = headersFrame(id, OK_BLOCK, true);

  test.each<[what: string, frames: Buffer]>([
    ["is less than one DATA frame", Buffer.concat([begin(side, ["3"]), data("four", true)])],
    ["is less than one of many DATA frames", Buffer.concat([begin(side, ["3"]), data("fo"), data("ur")])],
    ["is more than one DATA frame", Buffer.concat([begin(side, ["5"]), data("four", true)])],
    ["is more than the sum of many", Buffer.concat([begin(side, ["9"]), data("four"), data("more", true)])],
    ["is more than what came before the trailers", Buffer.concat([begin(side, ["5"]), data("four"), trailers])],
    ["is not 0 where there is no DATA", begin(side, ["1"], true)],
    ["is 0 where there is DATA", Buffer.concat([begin(side, ["0"]), data("x")])],
    ["counts no padding", Buffer.concat([begin(side, ["8"]), data("four", true, 3)])],
    ["is no number", begin(side, ["four"])],
    ["is negative", begin(side, ["-1"])],
    ["is a list", begin(side, ["4, 4"])],
    ["has two values", begin(side, ["4", "5"])],
    ["is beyond all bounds", begin(side, ["99999999999999999999"])],
  ])("§8.1.1: ends its stream with PROTOCOL_ERROR where it %s", async (_what, frames) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(frames);
    if (side === "replica") await sides.client.nextOf("RST_STREAM", 5);
    expect((await sides.sender.nextOf("RST_STREAM", id)).payload.readUInt32BE(0)).toBe(PROTOCOL_ERROR);
    await settled(sides.client, sides.replica);
  });

  test.each<[what: string, frames: Buffer, body: string]>([
    ["one DATA frame", Buffer.concat([begin(side, ["4"]), data("four", true)]), "four"],
    [
      "many, padded and empty",
      Buffer.concat([begin(side, ["8"]), data("four", false, 9), data(""), data("more", true)]),
      "fourmore",
    ],
    ["what came before the trailers", Buffer.concat([begin(side, ["4"]), data("four"), trailers]), "four"],
    ["nothing", begin(side, ["0"], true), ""],
    ["nothing, in a DATA frame", Buffer.concat([begin(side, ["0"]), data("", true)]), ""],
    ["its content, twice", Buffer.concat([begin(side, ["4", "4"]), data("four", true)]), "four"],
  ])("§8.1.1: passes where it is the length of %s", async (_what, frames, body) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(frames);
    const message = await readMessage(sides.other, id);
    expect(message.resetCode).toBeUndefined();
    expect(message.body.toString()).toBe(body);
    expect(fieldOf(message.headers[0], "content-length")).toBe(String(body.length));
  });
});

test.each(["204", "304"])(
  "§8.1.1: a response of status %s, which has no content, may name any length",
  async (status) => {
    const { client, replica } = await TwoSides.meet("replica");
    replica.send(begin("replica", ["99"], true, status));
    expect((await readMessage(client, 5)).headers[0]).toContainEqual(["content-length", "99"]);
  },
);

describe("a message in its usual forms crosses (RFC 9113 §8.1)", () => {
  test("§8.1: interim responses come along before the response, their lengths unheeded", async () => {
    const { client, replica } = await TwoSides.meet("replica");
    const early: Field[] = [
      [":status", "103"],
      ["content-length", "7"],
    ];
    replica.send(headersFrame(5, encodeFields(early)), headersFrame(5, encodeFields(early)));
    replica.send(headersFrame(5, RESPONSE_BLOCK), dataFrame(5, Buffer.from("body")), headersFrame(5, OK_BLOCK, true));
    const { headers, body } = await readMessage(client, 5);
    expect(headers).toEqual([early, early, RESPONSE_FIELDS, OK_FIELDS]);
    expect(body.toString()).toBe("body");
  });

  test("§8.1: a request may end with trailers, and a response before its request", async () => {
    const { client, replica } = await TwoSides.meet("client");
    replica.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true));
    expect((await readMessage(client, 5)).headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
    client.send(dataFrame(5, Buffer.from("body")), headersFrame(5, encodeFields([["x-end", "1"]]), true));
    const { headers, body } = await readMessage(replica, 5);
    expect([headers, body.toString()]).toEqual([[[["x-end", "1"]]], "body"]);
  });

  test("§8.2.3: the crumbs of a cookie stay apart, in their order", async () => {
    const { client, replica } = await TwoSides.meet("client");
    const crumbs: Field[] = [
      ["cookie", "a=b"],
      ["cookie", "c=d"],
    ];
    client.send(headersFrame(7, encodeFields(requestFields(undefined, crumbs)), true));
    expect((await readHeaders(replica, 7)).filter(([name]) => name === "cookie")).toEqual(crumbs);
  });

  test("§8.3.1: :authority and host cross as they are", async () => {
    const { client, replica } = await TwoSides.meet("client");
    client.send(headersFrame(7, encodeFields(requestFields(undefined, [["host", "test"]])), true));
    expect(await readHeaders(replica, 7)).toEqual(requestFields(undefined, [["host", "test"]]));
  });
});
