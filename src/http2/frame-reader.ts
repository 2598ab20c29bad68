import { ConnectionError, ErrorCode } from "./errors.ts";
import { DEFAULT_MAX_FRAME_BYTES, FRAME_HEADER_BYTES, FrameFlag, FrameType } from "./frames.ts";

/** What nothing is carried in. */
const EMPTY = Buffer.alloc(0);

/** Who is told what the reader finds. Nothing handed over may be kept beyond the call. */
export interface FrameSink {
  /**
   * A piece of a DATA frame: `bytes[start, end)`, in order, maybe empty.
   *
   * Where `start >= 9`, the nine octets before it are free to be overwritten
   * with a frame header. `overheadBytes` is padding that counted against the
   * sender's windows; it comes with the last piece.
   */
  data(
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
    isEndOfStream: boolean,
    overheadBytes: number,
    isEndOfFrame: boolean,
  ): void;
  /** Any other frame, whole. */
  frame(type: number, flags: number, streamId: number, payload: Buffer): void;
}

/**
 * Finds frames in a byte stream that is cut anywhere.
 *
 * DATA is handed on in the pieces it arrives in, so that a large frame never
 * waits for its end; everything else is handed on whole.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  /** Start of a frame that is not complete yet: at most one header, or one control frame. */
  #carry = EMPTY;
  #carriedBytes = 0;
  #dataStreamId = 0;
  #dataRemaining = 0;
  #dataEndsStream = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether the last byte read was the last byte of a frame. */
  get isAtFrameBoundary(): boolean {
    return this.#carriedBytes === 0 && this.#dataRemaining === 0;
  }

  /**
   * Read `bytes[start, end)`. Headers of DATA frames in it may be overwritten
   * by the sink. Throws ConnectionError(FRAME_SIZE_ERROR) for a frame over
   * 16,384 octets; padding longer than its frame is a PROTOCOL_ERROR.
   */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#dataRemaining > 0) at = this.#dataPiece(bytes, at, end);
      else if (this.#carriedBytes > 0) at = this.#completeCarried(bytes, at, end);
      else if (end - at < FRAME_HEADER_BYTES) at = this.#carryOn(bytes, at, end, FRAME_HEADER_BYTES);
      else at = this.#frame(bytes, at, end);
    }
  }

  #frame(bytes: Buffer, at: number, end: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    checkLength(length, type);
    if (type === FrameType.DATA && !(flags & FrameFlag.PADDED)) {
      this.#startData(readStreamId(bytes, at), length, flags);
      return length === 0
        ? this.#emptyData(bytes, at + FRAME_HEADER_BYTES)
        : this.#dataPiece(bytes, at + FRAME_HEADER_BYTES, end);
    }
    const frameEnd = at + FRAME_HEADER_BYTES + length;
    if (frameEnd > end) return this.#carryOn(bytes, at, end, FRAME_HEADER_BYTES + length);
    this.#whole(type, flags, readStreamId(bytes, at), bytes, at + FRAME_HEADER_BYTES, frameEnd);
    return frameEnd;
  }

  #startData(streamId: number, length: number, flags: number): void {
    this.#dataStreamId = streamId;
    this.#dataRemaining = length;
    this.#dataEndsStream = (flags & FrameFlag.END_STREAM) !== 0;
  }

  #emptyData(bytes: Buffer, at: number): number {
    this.#sink.data(this.#dataStreamId, bytes, at, at, this.#dataEndsStream, 0, true);
    return at;
  }

  #dataPiece(bytes: Buffer, at: number, end: number): number {
    const pieceEnd = Math.min(end, at + this.#dataRemaining);
    this.#dataRemaining -= pieceEnd - at;
    const isLast = this.#dataRemaining === 0;
    // A frame that begins at the very end of a read has no payload yet: nothing to hand on.
    if (pieceEnd > at) {
      this.#sink.data(this.#dataStreamId, bytes, at, pieceEnd, isLast && this.#dataEndsStream, 0, isLast);
    }
    return pieceEnd;
  }

  /** Keep `bytes[at, end)` until `wanted` octets are there. */
  #carryOn(bytes: Buffer, at: number, end: number, wanted: number): number {
    if (this.#carry.length < wanted) {
      const grown = Buffer.allocUnsafe(wanted);
      this.#carry.copy(grown, 0, 0, this.#carriedBytes);
      this.#carry = grown;
    }
    const copied = Math.min(end - at, wanted - this.#carriedBytes);
    bytes.copy(this.#carry, this.#carriedBytes, at, at + copied);
    this.#carriedBytes += copied;
    return at + copied;
  }

  #completeCarried(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#carriedBytes < FRAME_HEADER_BYTES) {
      at = this.#carryOn(bytes, at, end, FRAME_HEADER_BYTES);
      if (this.#carriedBytes < FRAME_HEADER_BYTES) return at;
    }
    const carry = this.#carry;
    const length = (carry[0]! << 16) | (carry[1]! << 8) | carry[2]!;
    const type = carry[3]!;
    const flags = carry[4]!;
    const streamId = readStreamId(carry, 0);
    checkLength(length, type);
    if (type === FrameType.DATA && !(flags & FrameFlag.PADDED)) {
      this.#forgetCarry();
      this.#startData(streamId, length, flags);
      return length === 0 ? this.#emptyData(bytes, at) : this.#dataPiece(bytes, at, end);
    }
    const wanted = FRAME_HEADER_BYTES + length;
    at = this.#carryOn(bytes, at, end, wanted);
    if (this.#carriedBytes < wanted) return at;
    const whole = this.#carry;
    this.#forgetCarry();
    this.#whole(type, flags, streamId, whole, FRAME_HEADER_BYTES, wanted);
    return at;
  }

  #forgetCarry(): void {
    this.#carry = EMPTY;
    this.#carriedBytes = 0;
  }

  #whole(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type !== FrameType.DATA) {
      this.#sink.frame(type, flags, streamId, bytes.subarray(start, end));
      return;
    }
    if (end - start < 1) throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "padded DATA without a pad length");
    const paddingBytes = bytes[start]!;
    if (paddingBytes > end - start - 1) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "DATA padding longer than its frame");
    }
    const isEndOfStream = (flags & FrameFlag.END_STREAM) !== 0;
    this.#sink.data(streamId, bytes, start + 1, end - paddingBytes, isEndOfStream, paddingBytes + 1, true);
  }
}

function readStreamId(bytes: Buffer, frameStart: number): number {
  return bytes.readUInt32BE(frameStart + 5) & 0x7fff_ffff;
}

function checkLength(length: number, type: number): void {
  if (length > DEFAULT_MAX_FRAME_BYTES) {
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `frame of type ${type} with ${length} bytes`);
  }
}
