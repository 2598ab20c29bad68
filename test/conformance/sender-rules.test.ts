import { expect, test } from "vitest";
import { FrameReader } from "../support/raw-http2/frame-reader.ts";
import {
  dataFrame,
  encodeFrame,
  FrameType,
  goawayFrame,
  headersFrame,
  rstStreamFrame,
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
import { encodeFields, encodeIndexed } from "../support/raw-http2/hpack-encoder.ts";
import { SenderRules } from "../support/raw-http2/sender-rules.ts";

// What the gateway sends is held against these rules in every test that listens to it (test/support/watch.ts).

const SETTINGS = settingsFrame();
const REQUEST = headersFrame(1, requestBlock());
const RESPONSE = headersFrame(1, RESPONSE_BLOCK);
const END = headersFrame(1, OK_BLOCK, true);

/** The rules that some frames break, by their sections. */
function broken(sender: "client" | "server", ...frames: readonly Buffer[]): string[] {
  const rules = new SenderRules(sender);
  const reader = new FrameReader({
    wantsPayload: () => true,
    frame: (type, flags, streamId, lengthBytes, bytes, start) => {
      const payload = Buffer.from(bytes.subarray(start, start + lengthBytes));
      rules.check({ type, flags, streamId, payload }, { announcedFrameBytes: 16_384, highestOpenedId: 9 });
    },
  });
  reader.push(Buffer.concat(frames));
  return rules.broken.map((rule) => rule.split(":")[0]!);
}

test("a whole call breaks no rule, at either end", () => {
  expect(
    broken(
      "client",
      SETTINGS,
      REQUEST,
      windowUpdateFrame(0, 1),
      dataFrame(1, Buffer.alloc(9)),
      dataFrame(1, Buffer.alloc(0), true),
    ),
  ).toEqual([]);
  const interim = headersFrame(1, encodeFields([[":status", "103"]]));
  expect(
    broken("server", SETTINGS, interim, RESPONSE, dataFrame(1, Buffer.alloc(9)), END, rstStreamFrame(1, 0)),
  ).toEqual([]);
});

test.each<[section: string, what: string, sender: "client" | "server", frames: Buffer[]]>([
  ["§3.4", "a beginning that is not SETTINGS", "server", [windowUpdateFrame(0, 1)]],
  ["§4.1", "a flag without a meaning", "server", [SETTINGS, RESPONSE, encodeFrame(FrameType.DATA, 0x2, 1)]],
  ["§4.2", "a frame over what its receiver takes", "server", [SETTINGS, RESPONSE, dataFrame(1, Buffer.alloc(16_385))]],
  ["§4.3", "a field block that is not HPACK", "server", [SETTINGS, headersFrame(1, encodeIndexed([99]))]],
  ["§5.1", "DATA on an idle stream", "client", [SETTINGS, dataFrame(1, Buffer.alloc(1))]],
  ["§5.1", "a stream that its client has not opened", "server", [SETTINGS, headersFrame(11, RESPONSE_BLOCK)]],
  ["§5.1", "DATA behind END_STREAM", "server", [SETTINGS, RESPONSE, END, dataFrame(1, Buffer.alloc(1))]],
  ["§5.1.1", "a stream lower than one before", "client", [SETTINGS, headersFrame(3, requestBlock()), REQUEST]],
  ["§6.6", "PUSH_PROMISE", "server", [SETTINGS, encodeFrame(FrameType.PUSH_PROMISE, 0, 1)]],
  ["§6.4", "a second RST_STREAM", "server", [SETTINGS, rstStreamFrame(1, 8), rstStreamFrame(1, 8)]],
  ["§6.5.2", "ENABLE_PUSH of 1", "client", [settingsFrame([[0x2, 1]])]],
  ["§6.8", "GOAWAY that takes back what it said", "server", [SETTINGS, goawayFrame(1, 0), goawayFrame(3, 0)]],
  ["§6.9", "WINDOW_UPDATE of 0", "server", [SETTINGS, windowUpdateFrame(0, 0)]],
  ["§6.10", "a frame inside a field block", "server", [SETTINGS, encodeFrame(1, 0, 1), windowUpdateFrame(0, 1)]],
  ["§8.1", "DATA before a response", "server", [SETTINGS, dataFrame(1, Buffer.alloc(1))]],
  ["§8.1", "a second response", "server", [SETTINGS, RESPONSE, RESPONSE]],
  [
    "§8.1.1",
    "DATA over its content-length",
    "server",
    [SETTINGS, response("content-length", "1"), dataFrame(1, Buffer.alloc(2))],
  ],
  ["§8.2.1", "an upper case name", "server", [SETTINGS, response("X", "1")]],
  ["§8.2.2", "a connection field", "server", [SETTINGS, response("connection", "close")]],
  [
    "§8.3",
    "a pseudo-header behind a field",
    "server",
    [SETTINGS, headersFrame(1, encodeFields([...RESPONSE_FIELDS].reverse()))],
  ],
  [
    "§8.3.1",
    "no :path",
    "client",
    [SETTINGS, headersFrame(1, encodeFields(requestFields().filter(([name]) => name !== ":path")))],
  ],
  ["§8.3.2", "no :status", "server", [SETTINGS, headersFrame(1, encodeFields(OK_FIELDS))]],
])("of those that break one, %s is found: %s", (section, _what, sender, frames) => {
  expect(broken(sender, ...frames)).toContain(section);
});

function response(name: string, value: string): Buffer {
  return headersFrame(1, encodeFields([...RESPONSE_FIELDS, [name, value]]));
}
