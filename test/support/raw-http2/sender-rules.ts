import { Flag, type Frame, FrameType, readSettings, Setting, unpadded } from "./frames.ts";
import { PlainHpackDecoder } from "./hpack-decoder.ts";
import { MessageRules } from "./message-rules.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FrameType;

/** Flags that a frame may have, by its type (RFC 9113 §6). */
const KNOWN_FLAGS: Readonly<Record<number, number>> = {
  [DATA]: Flag.END_STREAM | Flag.PADDED,
  [HEADERS]: Flag.END_STREAM | Flag.END_HEADERS | Flag.PADDED | Flag.PRIORITY,
  [SETTINGS]: Flag.ACK,
  [PING]: Flag.ACK,
  [CONTINUATION]: Flag.END_HEADERS,
};

/** Octets of frames that have no other size. */
const SIZES: Readonly<Record<number, number>> = { [PRIORITY]: 5, [RST_STREAM]: 4, [PING]: 8, [WINDOW_UPDATE]: 4 };

/** What the sender has done on a stream, and may therefore still do. */
interface Sent {
  readonly message: MessageRules;
  end: "none" | "endStream" | "reset";
}

/** What the receiver's own words say of what it may be sent. */
export interface Receiver {
  /** Largest frame that it has ever said to take. */
  readonly announcedFrameBytes: number;
  /** Highest stream that it has opened, where it is a client; 0: not known. */
  readonly highestOpenedId: number;
}

/**
 * Holds what one end of a connection sends against the rules for senders (RFC
 * 9113), so that every test that listens to it is a test of them. It judges
 * only by what that end itself has said before: what is under way the other
 * way cannot make it wrong.
 */
export class SenderRules {
  /** Rules that were broken, each with its section. Empty for as long as the sender behaves. */
  readonly broken: string[] = [];
  readonly #isClient: boolean;
  readonly #decoder = new PlainHpackDecoder();
  readonly #streams = new Map<number, Sent>();
  #hasBegun = false;
  #highestId = 0;
  #lastGoawayId = Number.POSITIVE_INFINITY;
  /** HEADERS whose block has not ended. */
  #open: { readonly first: Frame; readonly fragments: Buffer[] } | undefined;

  constructor(sender: "client" | "server") {
    this.#isClient = sender === "client";
  }

  check(frame: Frame, { announcedFrameBytes, highestOpenedId }: Receiver): void {
    const { type, flags, streamId, payload } = frame;
    this.#require(this.#hasBegun || (type === SETTINGS && flags === 0), "§3.4: does not begin with SETTINGS");
    this.#hasBegun = true;
    this.#require(payload.length <= announcedFrameBytes, `§4.2: ${payload.length} octets for ${announcedFrameBytes}`);
    this.#require((flags & ~(KNOWN_FLAGS[type] ?? 0)) === 0, `§4.1: flags ${flags} on type ${type}`);
    this.#require(type <= CONTINUATION, `§5.5: a frame of type ${type}`);
    this.#require(type !== PUSH_PROMISE, "§6.6: PUSH_PROMISE");
    const isOfConnection = type === SETTINGS || type === PING || type === GOAWAY;
    if (type !== WINDOW_UPDATE)
      this.#require(isOfConnection === (streamId === 0), `§6: type ${type} on stream ${streamId}`);
    this.#require(payload.length === (SIZES[type] ?? payload.length), `§6: type ${type} of ${payload.length} octets`);
    if (this.#open) {
      const isRest = type === CONTINUATION && streamId === this.#open.first.streamId;
      this.#require(isRest, `§6.10: type ${type} inside a field block`);
    } else this.#require(type !== CONTINUATION, "§6.10: CONTINUATION without HEADERS");
    if (!this.#isClient && highestOpenedId > 0) {
      this.#require(streamId <= highestOpenedId, `§5.1: type ${type} on idle stream ${streamId}`);
    }
    if (streamId > 0) this.#ofStream(frame);
    else this.#ofConnection(frame);
  }

  #ofConnection({ type, flags, payload }: Frame): void {
    if (type === SETTINGS) {
      this.#require(payload.length % 6 === 0, `§6.5: SETTINGS of ${payload.length} octets`);
      this.#require(!(flags & Flag.ACK) || payload.length === 0, "§6.5: an acknowledgement with a payload");
      for (const [id, value] of readSettings(payload)) {
        if (id === Setting.ENABLE_PUSH) this.#require(value === 0, `§6.5.2: ENABLE_PUSH of ${value}`);
        if (id === Setting.INITIAL_WINDOW_SIZE) this.#require(value < 2 ** 31, `§6.5.2: a window of ${value}`);
      }
    } else if (type === WINDOW_UPDATE) this.#requireIncrement(payload);
    else if (type === GOAWAY) {
      const lastId = payload.readUInt32BE(0);
      this.#require(lastId <= this.#lastGoawayId, `§6.8: GOAWAY ${lastId} after ${this.#lastGoawayId}`);
      this.#lastGoawayId = lastId;
    }
  }

  #ofStream(frame: Frame): void {
    const { type, flags, streamId, payload } = frame;
    if (type === PRIORITY) return;
    let sent = this.#streams.get(streamId);
    if (!sent) {
      if (this.#isClient) {
        this.#require(type === HEADERS, `§5.1: type ${type} on idle stream ${streamId}`);
        this.#require(streamId > this.#highestId, `§5.1.1: stream ${streamId} after ${this.#highestId}`);
        this.#highestId = streamId;
      }
      this.#require(streamId % 2 === 1, `§5.1.1: stream ${streamId}`);
      sent = { message: new MessageRules(this.#isClient), end: "none" };
      this.#streams.set(streamId, sent);
    }
    this.#require(sent.end !== "reset", `§6.4: type ${type} on stream ${streamId}, which it has reset`);
    if (type === RST_STREAM) sent.end = "reset";
    else if (type === WINDOW_UPDATE) this.#requireIncrement(payload);
    else {
      const isRest = type === CONTINUATION;
      this.#require(isRest || sent.end === "none", `§5.1: type ${type} on stream ${streamId}, which it has ended`);
      if (!isRest && flags & Flag.END_STREAM) sent.end = "endStream";
      if (type === DATA)
        this.#note(streamId, sent.message.data(unpadded(frame).length, (flags & Flag.END_STREAM) !== 0));
      else this.#fragment(frame, sent.message);
    }
  }

  #fragment(frame: Frame, message: MessageRules): void {
    if (frame.type === HEADERS) this.#open = { first: frame, fragments: [] };
    const open = this.#open;
    if (!open) return;
    open.fragments.push(unpadded(frame));
    if (!(frame.flags & Flag.END_HEADERS)) return;
    this.#open = undefined;
    try {
      const fields = this.#decoder.decode(Buffer.concat(open.fragments));
      this.#note(frame.streamId, message.headers(fields, (open.first.flags & Flag.END_STREAM) !== 0));
    } catch (error) {
      this.broken.push(`§4.3: ${error}`);
    }
  }

  #requireIncrement(payload: Buffer): void {
    const bytes = payload.readUInt32BE(0);
    this.#require(bytes > 0 && bytes < 2 ** 31, `§6.9: WINDOW_UPDATE of ${bytes}`);
  }

  #note(streamId: number, fault: string | undefined): void {
    if (fault !== undefined) this.broken.push(`${fault} (stream ${streamId})`);
  }

  #require(isKept: boolean, rule: string): void {
    if (!isKept) this.broken.push(rule);
  }
}
