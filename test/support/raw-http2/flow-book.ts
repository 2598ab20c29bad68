import { FrameReader } from "./frame-reader.ts";
import { DEFAULT_WINDOW_BYTES, Flag, type Frame, FrameType, readSettings, Setting } from "./frames.ts";

/** One direction's windows (RFC 9113 §6.9), as whoever is granted them must see them. */
class Windows {
  connectionBytes = DEFAULT_WINDOW_BYTES;
  /** SETTINGS_INITIAL_WINDOW_SIZE in force. */
  initialBytes = DEFAULT_WINDOW_BYTES;
  /** What each stream's window is beyond the initial one. */
  readonly #beyond = new Map<number, number>();

  of(streamId: number): number {
    return this.initialBytes + (this.#beyond.get(streamId) ?? 0);
  }

  add(streamId: number, bytes: number): void {
    if (streamId === 0) this.connectionBytes += bytes;
    else this.#beyond.set(streamId, (this.#beyond.get(streamId) ?? 0) + bytes);
  }

  used(streamId: number, bytes: number): void {
    this.add(0, -bytes);
    this.add(streamId, -bytes);
  }
}

/**
 * Keeps the books of one end of a connection: what it may still send, and
 * whether the other end keeps to what it may.
 */
export class FlowBook {
  readonly #own = new Windows();
  readonly #others = new Windows();
  /** Initial windows that this end has announced and that have not been acknowledged. */
  readonly #announced: (number | undefined)[] = [];
  readonly #sentReader: FrameReader;
  #waiting: (() => void)[] = [];
  /** Largest frame the other end takes. */
  maxFrameBytes = 16_384;
  /** Largest frame that this end has ever said to take. */
  announcedFrameBytes = 16_384;
  /** Highest stream that this end has sent HEADERS on. */
  highestOpenedId = 0;
  /** What the other end sent beyond its windows. Empty for as long as it behaves. */
  readonly violations: string[] = [];

  constructor() {
    this.#sentReader = new FrameReader({
      wantsPayload: (type) => type === FrameType.SETTINGS || type === FrameType.WINDOW_UPDATE,
      frame: (type, flags, streamId, lengthBytes, bytes, start) => {
        this.#sent(type, flags, streamId, lengthBytes, bytes.subarray(start, start + lengthBytes));
      },
    });
  }

  /** What this end may send on a stream; below zero where it has to wait for more than that. */
  window(streamId: number): number {
    return this.#own.of(streamId);
  }

  /** What this end may send on all streams together. */
  get connectionWindow(): number {
    return this.#own.connectionBytes;
  }

  /** What the other end may send on a stream. */
  grantedWindow(streamId: number): number {
    return this.#others.of(streamId);
  }

  /** Resolves when this end's windows have changed. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves once a stream's window is as asked for. */
  async until(streamId: number, accepts: (windowBytes: number) => boolean): Promise<void> {
    while (!accepts(this.window(streamId))) await this.changed();
  }

  /** Octets that this end writes, the preface left out. */
  wrote(bytes: Buffer): void {
    this.#sentReader.push(bytes);
  }

  /** A frame of the other end's. */
  read({ type, flags, streamId, payload }: Frame): void {
    if (type === FrameType.DATA) this.#spent(streamId, payload.length);
    else if (type === FrameType.WINDOW_UPDATE) this.#own.add(streamId, payload.readUInt32BE(0) & 0x7fff_ffff);
    else if (type !== FrameType.SETTINGS) return;
    else if (flags & Flag.ACK) this.#others.initialBytes = this.#announced.shift() ?? this.#others.initialBytes;
    else {
      for (const [id, value] of readSettings(payload)) {
        if (id === Setting.INITIAL_WINDOW_SIZE) this.#own.initialBytes = value;
        else if (id === Setting.MAX_FRAME_SIZE) this.maxFrameBytes = value;
      }
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #spent(streamId: number, bytes: number): void {
    this.#others.used(streamId, bytes);
    if (bytes === 0) return;
    if (this.#others.of(streamId) < 0)
      this.violations.push(`stream ${streamId}: ${-this.#others.of(streamId)} too many`);
    if (this.#others.connectionBytes < 0) this.violations.push(`connection: ${-this.#others.connectionBytes} too many`);
  }

  #sent(type: number, flags: number, streamId: number, lengthBytes: number, payload: Buffer): void {
    if (type === FrameType.DATA) this.#own.used(streamId, lengthBytes);
    else if (type === FrameType.HEADERS) this.highestOpenedId = Math.max(this.highestOpenedId, streamId);
    else if (type === FrameType.WINDOW_UPDATE && lengthBytes === 4) this.#others.add(streamId, payload.readUInt32BE(0));
    else if (type === FrameType.SETTINGS && !(flags & Flag.ACK)) {
      const settings = readSettings(payload);
      const last = settings.findLast(([id]) => id === Setting.INITIAL_WINDOW_SIZE);
      this.#announced.push(last?.[1]);
      const frameBytes = settings.filter(([id]) => id === Setting.MAX_FRAME_SIZE).map(([, bytes]) => bytes);
      this.announcedFrameBytes = Math.max(this.announcedFrameBytes, ...frameBytes);
    }
  }
}
