import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HeaderField } from "../../src/http2/header-field.ts";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { field, headerLists } from "../support/hpack-lists.ts";
import { bringNghttp2, Nghttpd, receivedHeaders, runNghttp, sentHeaders } from "../support/nghttp2.ts";
import { dataFrame, headersFrame, Setting, settingsAckFrame } from "../support/raw-http2/frames.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { receiveBlock } from "../support/receive-block.ts";

// fast-check prints the seed of what fails; one run is one process and one connection.
const RUNS = { numRuns: 12 };
const MAX_LIST_BYTES = 1 << 20;
/** How often nghttp asks for the same thing, so that it uses what it had us remember. */
const REPEATS = 4;

const nghttp2 = await bringNghttp2();
if (nghttp2.t === "unavailable")
  console.warn(`left out: ${nghttp2.reason}; apt-get install nghttp2-client nghttp2-server`);
const env = nghttp2.t === "ready" ? nghttp2.env : {};

/** What SETTINGS_HEADER_TABLE_SIZE each side announces. */
describe.skipIf(nghttp2.t === "unavailable").each([0, 4_096, 65_536])(
  "with header tables of %i bytes",
  (tableBytes) => {
    const tableArgs = [`--header-table-size=${tableBytes}`, `--encoder-header-table-size=${tableBytes}`];
    const settings = [[Setting.HEADER_TABLE_SIZE, tableBytes]] as const;

    test("we read the headers that nghttp sends, and it reads our answers and trailers", async () => {
      const server = net.createServer();
      onTestFinished(() => void server.close());
      await once(server.listen(0, "127.0.0.1"), "listening");
      const origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;

      await fc.assert(
        fc.asyncProperty(headerLists("ascii"), headerLists("ascii"), async (list, answer) => {
          const request = sendableByNghttp(list);
          const connected = once(server, "connection") as Promise<[net.Socket]>;
          const args = request.flatMap(({ name, value }) => ["-H", `${name}: ${value}`]);
          const ended = runNghttp(env, [...tableArgs, "-m", `${REPEATS}`, ...args, `http://${origin}/x`]);
          // Where nghttp ends without having connected, its error is what fails the test.
          await Promise.race([connected, ended]);
          const peer = new RawPeer((await connected)[0], "server");
          try {
            peer.begin("server", settings);
            await peer.nextOf("SETTINGS");
            peer.send(settingsAckFrame());
            const decoder = new HpackDecoder({ maxTableBytes: tableBytes, maxListBytes: MAX_LIST_BYTES });
            const encoder = new HpackEncoder();
            const streams: number[] = [];
            for (let repeat = 0; repeat < REPEATS; repeat++) {
              const { streamId, block } = await receiveBlock(peer);
              const decoded = decoder.decode(block);
              const pseudo = [field(":method", "GET"), field(":path", "/x"), field(":scheme", "http")];
              expect(decoded).toEqual({ t: "ok", fields: expect.arrayContaining(pseudo) });
              // Between them nghttp adds three fields of its own.
              const fields = decoded.t === "ok" ? decoded.fields : [];
              expect(fields.slice(-request.length)).toEqual(request);
              expect(fields).toHaveLength(4 + 3 + request.length);
              peer.send(headersFrame(streamId, encoder.encode([field(":status", "200"), ...answer])));
              peer.send(dataFrame(streamId, Buffer.from("\n")), headersFrame(streamId, encoder.encode(answer), true));
              streams.push(streamId);
            }
            const received = receivedHeaders(await ended);
            const expected = [field(":status", "200"), ...answer, ...answer];
            for (const streamId of streams) expect(received.get(streamId)).toEqual(expected);
          } finally {
            await peer.destroy();
            await ended.catch(() => {});
          }
        }),
        RUNS,
      );
    });

    test("nghttpd reads ours, and we read its answers and trailers", async () => {
      const dir = await mkdtemp(join(tmpdir(), "nghttpd-"));
      onTestFinished(() => rm(dir, { recursive: true }));
      await writeFile(join(dir, "x"), "content");

      await fc.assert(
        fc.asyncProperty(fc.array(headerLists("http"), { minLength: 1, maxLength: 12 }), async (lists) => {
          const server = await Nghttpd.start(env, dir, [...tableArgs, "--trailer", "x-trailer: end"]);
          const socket = net.connect(server.port, "127.0.0.1");
          const peer = new RawPeer(socket, "client");
          try {
            peer.begin("client", settings);
            await peer.nextOf("SETTINGS");
            peer.send(settingsAckFrame());
            const encoder = new HpackEncoder();
            const decoder = new HpackDecoder({ maxTableBytes: tableBytes, maxListBytes: MAX_LIST_BYTES });
            const requests = new Map(lists.map((list, at) => [1 + 2 * at, request(list, at)]));
            for (const [streamId, fields] of requests) peer.send(headersFrame(streamId, encoder.encode(fields), true));

            const decoded: unknown[] = [];
            for (let block = 0; block < 2 * requests.size; block++) {
              const answer = decoder.decode((await receiveBlock(peer)).block);
              decoded.push(answer.t === "ok" && answer.fields.map(({ name, value }) => [name, value]));
            }
            let output = "";
            for (const streamId of requests.keys()) output = await server.printed(`stream_id=${streamId} closed`);
            expect(receivedHeaders(output)).toEqual(requests);
            expect(decoded).toEqual(sentHeaders(output));
            expect(decoded).toContainEqual([["x-trailer", "end"]]);
          } finally {
            await peer.destroy();
            await server.stop();
          }
        }),
        RUNS,
      );
    });
  },
);

function request(list: readonly HeaderField[], at: number): HeaderField[] {
  const pseudo = [
    field(":method", "GET"),
    field(":scheme", "http"),
    field(":path", "/x"),
    field(":authority", `a${at}`),
  ];
  return [...pseudo, ...list];
}

/**
 * What nghttp's command line can say of a list: values are not empty, and no
 * field is sensitive but the one that nghttp takes for it by its name.
 */
function sendableByNghttp(list: readonly HeaderField[]): HeaderField[] {
  const fields = list.map(({ name, value }) => field(name, value === "" ? "empty" : value));
  return [...fields, field("authorization", "secret", true)];
}
