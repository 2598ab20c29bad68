import { once } from "node:events";
import type { Duplex } from "node:stream";
import { FlowBook } from "./flow-book.ts";
import { FrameReader } from "./frame-reader.ts";
import { CLIENT_PREFACE, type Frame, FrameType, settingsFrame } from "./frames.ts";
import { PlainHpackDecoder } from "./hpack-decoder.ts";
import type { Field } from "./hpack-encoder.ts";
import { SenderRules } from "./sender-rules.ts";

/**
 * One end of an HTTP/2 connection driven frame by frame by a test. It answers
 * nothing by itself: no acknowledgement, no PING, no window.
 */
export class RawPeer {
  readonly socket: Duplex;
  /** Every frame received and not yet taken by {@link next}. */
  readonly received: Frame[] = [];
  /** The windows of both directions, as long as every octet is sent by {@link send}. */
  readonly flow = new FlowBook();
  /** Holds whatever comes against the rules for whoever sends it. */
  readonly rules: SenderRules;
  /** Decodes the blocks of this connection; feed it every block, in order. */
  readonly #decoder = new PlainHpackDecoder();
  readonly #waiting = new Set<() => void>();
  #missingPrefaceBytes: number;
  #unsentPrefaceBytes: number;
  #end: { readonly cause: Error | undefined } | undefined;

  /** A `client` end sends nothing yet; a `server` end swallows the client's preface. */
  constructor(socket: Duplex, role: "client" | "server") {
    this.socket = socket;
    this.rules = new SenderRules(role === "server" ? "client" : "server");
    this.#missingPrefaceBytes = role === "server" ? CLIENT_PREFACE.length : 0;
    this.#unsentPrefaceBytes = role === "client" ? CLIENT_PREFACE.length : 0;
    const reader = new FrameReader({
      wantsPayload: () => true,
      frame: (type, flags, streamId, lengthBytes, bytes, start) => {
        const frame = { type, flags, streamId, payload: Buffer.from(bytes.subarray(start, start + lengthBytes)) };
        this.flow.read(frame);
        this.rules.check(frame, this.flow);
        this.received.push(frame);
      },
    });
    socket.on("data", (chunk: Buffer) => {
      const skip = Math.min(this.#missingPrefaceBytes, chunk.length);
      this.#missingPrefaceBytes -= skip;
      reader.push(chunk, skip);
      this.#wake();
    });
    socket.on("error", (cause) => this.#ended(cause));
    socket.on("close", () => this.#ended(undefined));
    socket.on("end", () => this.#ended(undefined));
  }

  /** Preface (if any) and SETTINGS, as a well-behaved end begins. */
  begin(role: "client" | "server", settings: readonly (readonly [id: number, value: number])[] = []): void {
    if (role === "client") this.send(CLIENT_PREFACE);
    this.send(settingsFrame(settings));
  }

  send(...frames: readonly Uint8Array[]): void {
    const bytes = Buffer.concat(frames);
    const skip = Math.min(this.#unsentPrefaceBytes, bytes.length);
    this.#unsentPrefaceBytes -= skip;
    this.flow.wrote(bytes.subarray(skip));
    this.socket.write(bytes);
  }

  /** Take the first frame, received or to come, that `accepts`; rejects when the connection ends before it. */
  async next(accepts: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const index = this.received.findIndex(accepts);
      if (index >= 0) return this.received.splice(index, 1)[0]!;
      if (this.#end) throw new Error("the connection ended before the frame came", { cause: this.#end.cause });
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Take the next frame of a type, on one stream where `streamId` is given. */
  nextOf(type: keyof typeof FrameType, streamId?: number): Promise<Frame> {
    return this.next(
      (frame) => frame.type === FrameType[type] && (streamId === undefined || frame.streamId === streamId),
    );
  }

  /** Decode a header block. The blocks of a connection share one table: decode each of them, once, in the order of arrival. */
  decode(block: Buffer): Field[] {
    return this.#decoder.decode(block);
  }

  /** Resolves when the other side has ended or broken the connection. */
  async ended(): Promise<void> {
    while (!this.#end) await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Drop the connection. */
  async destroy(): Promise<void> {
    if (this.socket.closed) return;
    const closed = once(this.socket, "close");
    this.socket.destroy();
    await closed;
  }

  #ended(cause: Error | undefined): void {
    this.#end ??= { cause };
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
