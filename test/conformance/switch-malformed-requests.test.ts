import { describe, test } from "vitest";
import { expectStreamError, someStreams } from "../support/open-calls.ts";
import { headersFrame } from "../support/raw-http2/frames.ts";
import { requestBlock, requestFields } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields, type Field } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const PROTOCOL_ERROR = 0x1;

describe("a malformed request is reset with PROTOCOL_ERROR", () => {
  const without = (name: string): Field[] => requestFields().filter(([known]) => known !== name);

  test.each<[string, readonly Field[]]>([
    ["an upper case name", requestFields(undefined, [["X-Upper", "1"]])],
    ["a name with a space", requestFields(undefined, [["x y", "1"]])],
    ["an empty name", requestFields(undefined, [["", "1"]])],
    ["a value with a line feed", requestFields(undefined, [["x", "a\nb"]])],
    ["a value with NUL", requestFields(undefined, [["x", "a\0b"]])],
    ["a value that begins with a space", requestFields(undefined, [["x", " a"]])],
    ["a connection header", requestFields(undefined, [["connection", "keep-alive"]])],
    ["a transfer-encoding header", requestFields(undefined, [["transfer-encoding", "chunked"]])],
    ["te other than trailers", requestFields(undefined, [["te", "gzip"]])],
    ["a pseudo-header after a regular one", [...without(":path"), [":path", "/a/B"]]],
    ["an unknown pseudo-header", [[":protocol", "x"], ...requestFields()]],
    ["a response's pseudo-header", [[":status", "200"], ...requestFields()]],
    ["no :method", without(":method")],
    ["no :scheme", without(":scheme")],
    ["no :path", without(":path")],
    ["an empty :path", [[":path", ""], ...without(":path")]],
    // grpc-go before 1.79.3 serves it (CVE-2026-33186), and no rule of a policy would have named it.
    ["a :path without its slash", [[":path", "moby.buildkit.v1.Control/Prune"], ...without(":path")]],
    ["two :path", [[":path", "/a/B"], ...requestFields()]],
    ["nothing in it", []],
  ])("%s", async (_name, fields) => {
    const rig = await SwitchRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, encodeFields(fields)));
    await expectStreamError(client, 1, PROTOCOL_ERROR);
    client.send(headersFrame(3, requestBlock(), true));
    await readMessage(await rig.replica.serve(), 1);
  });

  test("pseudo-headers in trailers", async () => {
    const { client, replica } = await someStreams();
    client.send(headersFrame(1, encodeFields([[":path", "/x"]]), true));
    await expectStreamError(client, 1, PROTOCOL_ERROR);
    await replica.nextOf("RST_STREAM", 1);
  });
});
