import { ConnectionError, ErrorCode } from "../http2/errors.ts";
import { FrameFlag, readHeadersPayload } from "../http2/frames.ts";
import type { DecodedHeaders } from "../http2/hpack-decoder.ts";
import { RepeatingDecoder } from "../http2/repeated-blocks.ts";
import { ConnectionOverLimit, type LimitName } from "./over-limit.ts";

/** CONTINUATION frames that are free; each further one must have been worth its while. */
const FREE_FRAGMENTS = 16;

/** Octets that a fragment beyond the free ones must bring on average. */
const MIN_FRAGMENT_BYTES = 1_024;

/** A header block whose END_HEADERS has not come yet (RFC 9113 §6.10). */
interface OpenBlock {
  readonly streamId: number;
  readonly isEndOfStream: boolean;
  readonly isSelfDependent: boolean;
  readonly fragments: Buffer[];
  bytes: number;
}

/** A whole header list. */
export interface ReadHeaders {
  readonly streamId: number;
  readonly isEndOfStream: boolean;
  /** The deprecated priority fields name the stream itself, which RFC 7540 §5.3.1 forbids. */
  readonly isSelfDependent: boolean;
  readonly decoded: DecodedHeaders;
}

/**
 * Makes header lists of HEADERS and CONTINUATION frames. Bounded in octets and
 * in frames, so that neither memory nor time can be taken by a block that
 * never ends.
 */
export class HeaderReader {
  readonly #decoder: RepeatingDecoder;
  readonly #maxBlockBytes: number;
  readonly #limit: LimitName;
  #open: OpenBlock | undefined;

  /** `maxListBytes` bounds the decoded list; the encoded block may be as large. `limit` says so in errors. */
  constructor(maxListBytes: number, limit: LimitName = "headerListBytes") {
    this.#limit = limit;
    this.#decoder = new RepeatingDecoder({ maxListBytes });
    this.#maxBlockBytes = maxListBytes;
  }

  /** A block has begun and not ended. */
  get isInBlock(): boolean {
    return this.#open !== undefined;
  }

  /** Between HEADERS and END_HEADERS no other frame may come (RFC 9113 §6.2). */
  requireNoBlock(): void {
    if (this.#open) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "a frame inside a header block");
  }

  /** Read a HEADERS frame; a value when its block is whole. Throws ConnectionError. */
  headers(flags: number, streamId: number, payload: Buffer): ReadHeaders | undefined {
    const parts = readHeadersPayload(flags, payload);
    const isEndOfStream = (flags & FrameFlag.END_STREAM) !== 0;
    const isSelfDependent = parts.dependsOn === streamId;
    if (flags & FrameFlag.END_HEADERS) {
      return { streamId, isEndOfStream, isSelfDependent, decoded: this.#decoder.decode(parts.fragment) };
    }
    this.#open = { streamId, isEndOfStream, isSelfDependent, fragments: [], bytes: 0 };
    this.#add(this.#open, parts.fragment);
    return undefined;
  }

  /** Read a CONTINUATION frame; a value when the block is whole. Throws ConnectionError. */
  continuation(flags: number, streamId: number, payload: Buffer): ReadHeaders | undefined {
    const open = this.#open;
    if (open?.streamId !== streamId) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `CONTINUATION on stream ${streamId}`);
    }
    this.#add(open, payload);
    if (!(flags & FrameFlag.END_HEADERS)) return undefined;
    this.#open = undefined;
    const { isEndOfStream, isSelfDependent } = open;
    return { streamId, isEndOfStream, isSelfDependent, decoded: this.#decoder.decode(Buffer.concat(open.fragments)) };
  }

  #add(open: OpenBlock, fragment: Buffer): void {
    open.bytes += fragment.length;
    open.fragments.push(Buffer.from(fragment));
    if (open.bytes > this.#maxBlockBytes) {
      throw new ConnectionOverLimit(this.#limit, `header block over ${this.#maxBlockBytes} bytes`);
    }
    if (open.fragments.length > FREE_FRAGMENTS + open.bytes / MIN_FRAGMENT_BYTES) {
      const text = `${open.fragments.length} fragments in a header block of ${open.bytes} bytes`;
      throw new ConnectionOverLimit(this.#limit, text);
    }
  }
}
