import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HeaderField } from "../../src/http2/header-field.ts";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { field, headerLists, plain } from "../support/hpack-lists.ts";
import { headersFrame, Setting, settingsAckFrame } from "../support/raw-http2/frames.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { receiveBlock } from "../support/receive-block.ts";

// fast-check prints the seed of what fails; one run is one connection.
const RUNS = { numRuns: 25 };
const MAX_LIST_BYTES = 1 << 20;

/** What SETTINGS_HEADER_TABLE_SIZE the reading side announces. */
describe.each([0, 4_096, 65_536])("with a header table of %i bytes", (tableBytes) => {
  test("we read the headers that a node:http2 client sends", async () => {
    const server = net.createServer();
    onTestFinished(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

    await fc.assert(
      fc.asyncProperty(connectionsOfLists(), async (lists) => {
        const connected = once(server, "connection") as Promise<[net.Socket]>;
        const client = http2.connect(url);
        const clientClosed = once(client, "close");
        const peer = new RawPeer((await connected)[0], "server");
        try {
          peer.begin("server", [[Setting.HEADER_TABLE_SIZE, tableBytes]]);
          const decoder = new HpackDecoder({ maxTableBytes: tableBytes, maxListBytes: MAX_LIST_BYTES });
          for (const list of lists) {
            const headers = { ":method": "POST", ":path": "/x", ":authority": "a", ":scheme": "http" };
            client.request({ ...headers, ...asNodeHeaders(list) }).on("error", () => {});
            const pseudo = Object.entries(headers).map(([name, value]) => field(name, value));
            const decoded = decoder.decode((await receiveBlock(peer)).block);
            expect(decoded).toEqual({ t: "ok", fields: [...pseudo, ...grouped(list)] });
          }
        } finally {
          client.destroy();
          await clientClosed;
          await peer.destroy();
        }
      }),
      RUNS,
    );
  });

  test("a node:http2 server reads ours, and we read its answers and trailers", async () => {
    const server = http2.createServer({ settings: { headerTableSize: tableBytes } });
    onTestFinished(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;

    await fc.assert(
      fc.asyncProperty(connectionsOfLists(), async (lists) => {
        const socket = net.connect(port, "127.0.0.1");
        const peer = new RawPeer(socket, "client");
        try {
          peer.begin("client", [[Setting.HEADER_TABLE_SIZE, tableBytes]]);
          await peer.nextOf("SETTINGS");
          peer.send(settingsAckFrame());
          const encoder = new HpackEncoder();
          const decoder = new HpackDecoder({ maxTableBytes: tableBytes, maxListBytes: MAX_LIST_BYTES });
          for (const [at, list] of lists.entries()) {
            const pseudo = [
              field(":method", "POST"),
              field(":scheme", "http"),
              field(":path", "/x"),
              field(":authority", "a"),
            ];
            const received = once(server, "stream") as Promise<StreamEvent>;
            peer.send(headersFrame(1 + 2 * at, encoder.encode([...pseudo, ...list]), true));
            const [stream, headers, , rawHeaders] = await received;
            expect(fromNode(headers, rawHeaders)).toEqual([...pseudo, ...asNodeSees(list)]);

            const answer = [field(":status", "200"), field("date", "now"), ...grouped(list)];
            stream.respond({ date: "now", ...asNodeHeaders(list) }, { waitForTrailers: true });
            stream.on("wantTrailers", () => stream.sendTrailers(asNodeHeaders(list)));
            stream.end();
            expect(decoder.decode((await receiveBlock(peer)).block)).toEqual({ t: "ok", fields: answer });
            if (list.length > 0) {
              expect(decoder.decode((await receiveBlock(peer)).block)).toEqual({ t: "ok", fields: grouped(list) });
            }
          }
        } finally {
          await peer.destroy();
        }
      }),
      RUNS,
    );
  });
});

type StreamEvent = [http2.ServerHttp2Stream, http2.IncomingHttpHeaders, number, string[]];

function connectionsOfLists(): fc.Arbitrary<HeaderField[][]> {
  return fc.array(headerLists("http"), { minLength: 1, maxLength: 12 });
}

/** Node takes a name's values together, and calls a name sensitive rather than a field. */
function asNodeHeaders(list: readonly HeaderField[]): http2.OutgoingHttpHeaders {
  const headers: http2.OutgoingHttpHeaders = {};
  for (const { name, value } of list) {
    const known = headers[name];
    headers[name] = known === undefined ? value : [known as string | string[], value].flat();
  }
  return Object.assign(headers, { [http2.sensitiveHeaders]: [...sensitiveNames(list)] });
}

/** The order in which Node sends such a list. */
function grouped(list: readonly HeaderField[]): HeaderField[] {
  const names = [...new Set(list.map(({ name }) => name))];
  const sensitive = sensitiveNames(list);
  return names.flatMap((name) =>
    list.filter((it) => it.name === name).map((it) => field(name, it.value, sensitive.has(name))),
  );
}

/** A received list as Node shows it: in our order, but sensitive by name. */
function asNodeSees(list: readonly HeaderField[]): HeaderField[] {
  const sensitive = sensitiveNames(list);
  return plain(list).map(({ name, value }) => field(name, value, sensitive.has(name)));
}

function fromNode(headers: http2.IncomingHttpHeaders, rawHeaders: readonly string[]): HeaderField[] {
  const sensitive = new Set((headers as { [name: symbol]: string[] | undefined })[http2.sensitiveHeaders]);
  return Array.from({ length: rawHeaders.length / 2 }, (_, at) => {
    const name = rawHeaders[2 * at]!;
    return field(name, rawHeaders[2 * at + 1]!, sensitive.has(name));
  });
}

function sensitiveNames(list: readonly HeaderField[]): Set<string> {
  return new Set(list.filter(({ isSensitive }) => isSensitive).map(({ name }) => name));
}
