import { Duplex } from "node:stream";
import { tunnelled } from "./build-calls.ts";
import { Flag, FrameType, unpadded, windowUpdateFrame } from "./raw-http2/frames.ts";
import type { RawPeer } from "./raw-http2/raw-peer.ts";
import { sendBody } from "./raw-http2/send-body.ts";

/** Where a tunnel's messages and frames are cut: a number in [0, 1). */
export type Cuts = () => number;

/**
 * One end of the byte stream inside a Session: what is written leaves as
 * BytesMessages, cut into messages and frames of any size, and what BytesMessages
 * bring can be read.
 */
export class TunnelEnd extends Duplex {
  readonly #peer: RawPeer;
  readonly #streamId: number;
  readonly #cuts: Cuts;
  #messages = Buffer.alloc(0);
  /** Everything that has been read from the tunnel. */
  readonly arrived: Buffer[] = [];

  /** The stream's HEADERS have been dealt with on both sides; its DATA is read from here on. */
  constructor(peer: RawPeer, streamId: number, cuts: Cuts) {
    super();
    this.#peer = peer;
    this.#streamId = streamId;
    this.#cuts = cuts;
    void this.#receive();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const messages: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      const size = 1 + Math.floor(this.#cuts() ** 3 * 32_768);
      messages.push(tunnelled(chunk.subarray(at, at + size)));
      at += size;
    }
    this.#send(Buffer.concat(messages)).then(() => done(), done);
  }

  async #send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + Math.floor(this.#cuts() ** 3 * 16_383);
      await sendBody(this.#peer, this.#streamId, bytes.subarray(at, at + size), { isEndStream: false });
      at += size;
    }
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#peer.next(
          ({ streamId, type }) => streamId === this.#streamId && type !== FrameType.WINDOW_UPDATE,
        );
        if (frame.type !== FrameType.DATA) break;
        const data = unpadded(frame);
        if (data.length > 0)
          this.#peer.send(windowUpdateFrame(0, data.length), windowUpdateFrame(this.#streamId, data.length));
        this.#messages = Buffer.concat([this.#messages, data]);
        this.#takeMessages();
        if (frame.flags & Flag.END_STREAM) break;
      }
    } catch {
      // The connection is gone, and the tunnel with it.
    }
    this.push(null);
  }

  #takeMessages(): void {
    while (this.#messages.length >= 5) {
      const end = 5 + this.#messages.readUInt32BE(1);
      if (this.#messages.length < end) return;
      const bytes = bytesMessageData(this.#messages.subarray(5, end));
      this.#messages = this.#messages.subarray(end);
      this.arrived.push(bytes);
      this.push(bytes);
    }
  }
}

/** `data` of a BytesMessage as this file's other half writes it: field 1 and nothing else. */
function bytesMessageData(message: Buffer): Buffer {
  if (message.length === 0) return message;
  if (message[0] !== 0x0a) throw new Error(`not a BytesMessage: ${message.toString("hex", 0, 20)}`);
  let at = 1;
  while (message[at]! & 0x80) at++;
  return message.subarray(at + 1);
}
