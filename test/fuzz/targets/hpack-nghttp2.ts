import { deepStrictEqual, ok } from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { ConnectionError } from "../../../src/http2/errors.ts";
import { HpackDecoder } from "../../../src/http2/hpack-decoder.ts";
import { FrameType, headersFrame, pingFrame, settingsAckFrame } from "../../support/raw-http2/frames.ts";
import { RawPeer } from "../../support/raw-http2/raw-peer.ts";
import { Draw } from "../draw.ts";
import { drawBlock } from "../drawn-block.ts";
import type { FuzzTarget, OpenTarget } from "../fuzz-target.ts";

const COMPRESSION_ERROR = 9;

/** What makes each block a request, by the static table: `:method: GET`, `:scheme: http`, `:path: /`. */
const REQUEST = Buffer.of(0x82, 0x86, 0x84);

/** What our decoder refuses and nghttp2 does not: it takes integers of any number of octets. */
const OWN_BOUND = /integer of more than 4 octets/;

/**
 * The header blocks of a connection are malformed for our decoder where they are
 * for nghttp2, which is inside node:http2, and say the same where they are not.
 */
export const target: FuzzTarget = {
  name: "hpack-nghttp2",
  maxInputBytes: 400,
  shortRunInputs: 300,
  sources: [],
  hangMs: 60_000,
  open: () => Nghttp2Judge.open(),
};

/** What nghttp2 made of a connection's blocks. */
interface Verdict {
  /** The header lists that it let through, by stream: names and values by turns. */
  readonly lists: ReadonlyMap<number, readonly string[]>;
  /** Of a GOAWAY. */
  readonly errorCode: number | undefined;
}

class Nghttp2Judge implements OpenTarget {
  readonly #server: http2.Http2Server;
  readonly #lists = new Map<number, string[]>();

  private constructor(server: http2.Http2Server) {
    this.#server = server;
    server.on("session", (connection) => connection.on("error", () => {}));
    const judged = (
      stream: http2.ServerHttp2Stream,
      _headers: http2.IncomingHttpHeaders,
      _flags: number,
      rawHeaders: string[],
    ) => {
      stream.on("error", () => {});
      this.#lists.set(stream.id!, rawHeaders);
      stream.respond({}, { endStream: true });
    };
    server.on("stream", judged);
  }

  static async open(): Promise<Nghttp2Judge> {
    const server = http2.createServer();
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Nghttp2Judge(server);
  }

  async run(input: Buffer): Promise<void> {
    const draw = new Draw(input);
    const blocks = Array.from({ length: 1 + draw.below(5) }, () => drawBlock(draw, REQUEST));
    const { lists, errorCode } = await this.#judge(blocks);
    const decoder = new HpackDecoder({ maxListBytes: 1 << 20 });
    for (const [index, block] of blocks.entries()) {
      const decoded = decode(decoder, block);
      if (decoded instanceof ConnectionError) {
        ok(
          errorCode === COMPRESSION_ERROR || OWN_BOUND.test(decoded.message),
          `refused for nothing: ${decoded.message}`,
        );
        return;
      }
      const list = lists.get(1 + 2 * index);
      if (list) deepStrictEqual(decoded.filter(isLetThrough).flat(), list);
    }
    ok(errorCode !== COMPRESSION_ERROR, "read, though it is malformed for nghttp2");
  }

  close(): void {
    this.#server.close();
  }

  async #judge(blocks: readonly Buffer[]): Promise<Verdict> {
    this.#lists.clear();
    const { port } = this.#server.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const peer = new RawPeer(socket, "client");
    try {
      peer.begin("client");
      const frames = blocks.map((block, index) => headersFrame(1 + 2 * index, block, true));
      peer.send(settingsAckFrame(), ...frames, pingFrame(Buffer.alloc(8)));
      const isEnd = (type: number) => type === FrameType.PING || type === FrameType.GOAWAY;
      const end = await peer.next(({ type }) => isEnd(type));
      const errorCode = end.type === FrameType.GOAWAY ? end.payload.readUInt32BE(4) : undefined;
      return { lists: new Map(this.#lists), errorCode };
    } finally {
      // With a reset, or its port would be taken for a minute: there are more inputs in that time than ports.
      socket.resetAndDestroy();
      await peer.destroy();
    }
  }
}

const FIELD_NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const BAD_FIELD_VALUE = /[^\t\x20-\x7e\x80-\xff]|^[\t ]|[\t ]$/;

/** nghttp2 leaves out fields whose name is no name, or whose value is none (RFC 9113 §8.2.1), and goes on. */
function isLetThrough([name, value]: Field): boolean {
  return FIELD_NAME.test(name) && !BAD_FIELD_VALUE.test(value);
}

/** Name and value. */
type Field = readonly [string, string];

function decode(decoder: HpackDecoder, block: Buffer): Field[] | ConnectionError {
  try {
    const decoded = decoder.decode(block);
    return decoded.t === "ok" ? decoded.fields.map(({ name, value }) => [name, value] as const) : [];
  } catch (reason) {
    if (reason instanceof ConnectionError) return reason;
    throw reason;
  }
}
