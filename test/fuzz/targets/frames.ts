import { deepStrictEqual, ok } from "node:assert/strict";
import { ConnectionError, ErrorCode } from "../../../src/http2/errors.ts";
import { FrameReader } from "../../../src/http2/frame-reader.ts";
import { FrameReader as PlainFrameReader } from "../../support/raw-http2/frame-reader.ts";
import { encodeFrame, encodeFrameHeader, Flag, FrameType } from "../../support/raw-http2/frames.ts";
import { Draw } from "../draw.ts";
import type { FuzzTarget } from "../fuzz-target.ts";

/** RFC 9113 §4.2: what is longer is refused. */
const LARGEST_FRAME_BYTES = 16_384;

/** What a frame header is overwritten with, as the switch may do. */
const OVERWRITTEN = 0xee;

/**
 * The frame parser, with its input cut anywhere, finds the frames that a plain
 * reader finds in the whole, up to the same breach of the protocol.
 */
export const target: FuzzTarget = {
  name: "frames",
  maxInputBytes: 2_000,
  shortRunInputs: 2_000,
  sources: ["http2/frame-reader.ts"],
  open: () => ({ run }),
};

/** What was found in a stream. */
interface Found {
  readonly frames: string[];
  /** Octets of a DATA frame that has not ended. */
  partialData: string;
  errorCode: number | undefined;
}

function run(input: Buffer): void {
  const draw = new Draw(input);
  const cuts = draw.several(12, () => draw.below(0x100) ** 2 % 1_000);
  const stream = draw.chance(30) ? Buffer.from(draw.rest()) : drawFrames(draw);
  const expected = readPlainly(stream);
  deepStrictEqual(readInPieces(stream, cuts), expected);
}

/** Frames as they may come, some against the rules. */
function drawFrames(draw: Draw): Buffer {
  const frames: Buffer[] = [];
  while (draw.left > 0) {
    const type = draw.chance(50) ? FrameType.DATA : draw.below(12);
    const flags = draw.chance(70)
      ? draw.pick([0, Flag.END_STREAM, Flag.PADDED, Flag.PADDED | Flag.END_STREAM])
      : draw.byte();
    const streamId = draw.pick([0, 1, 3, 5, 0x7fff_ffff, 0x8000_0001]);
    const length = draw.chance(5) ? draw.pick([16_383, 16_384, 16_385, 70_000]) : draw.below(40);
    if (draw.chance(3)) frames.push(encodeFrameHeader(length, type, flags, streamId));
    else {
      const payload = Buffer.alloc(Math.min(length, LARGEST_FRAME_BYTES + 1), draw.byte());
      if (payload.length > 0) payload[0] = draw.below(48);
      frames.push(encodeFrame(type, flags, streamId, payload));
    }
  }
  return Buffer.concat(frames);
}

function readInPieces(stream: Buffer, cuts: readonly number[]): Found {
  const found: Found = { frames: [], partialData: "", errorCode: undefined };
  const reader = new FrameReader({
    data: (streamId, bytes, start, end, isEndOfStream, overheadBytes, isEndOfFrame) => {
      found.partialData += bytes.toString("latin1", start, end);
      if (start >= 9) bytes.fill(OVERWRITTEN, start - 9, start);
      if (!isEndOfFrame) {
        ok(!isEndOfStream && overheadBytes === 0, "the end of a stream, or padding, before the end of a frame");
        return;
      }
      found.frames.push(`DATA ${streamId} ${isEndOfStream} ${overheadBytes} ${found.partialData}`);
      found.partialData = "";
    },
    frame: (type, flags, streamId, payload) => {
      found.frames.push(`${type} ${flags} ${streamId} ${payload.toString("latin1")}`);
    },
  });
  try {
    let at = 0;
    for (const size of [...cuts, stream.length]) {
      const piece = stream.subarray(at, at + size);
      // Memory of its own with other octets around it, as sockets deliver.
      const memory = Buffer.alloc(9 + piece.length + 3, 0xcc);
      piece.copy(memory, 9);
      reader.push(memory, 9, 9 + piece.length);
      at += piece.length;
    }
  } catch (reason) {
    if (!(reason instanceof ConnectionError)) throw reason;
    found.errorCode = reason.code;
  }
  return found;
}

/** The same by a reader that knows no limits, which is told them. */
function readPlainly(stream: Buffer): Found {
  const found: Found = { frames: [], partialData: "", errorCode: undefined };
  let consumed = 0;
  let open: { readonly type: number; readonly flags: number; readonly payloadAt: number } | undefined;
  const reader = new PlainFrameReader({
    wantsPayload: (type, flags, _streamId, lengthBytes) => {
      open = { type, flags, payloadAt: consumed + 9 };
      if (lengthBytes > LARGEST_FRAME_BYTES) throw new Breach(ErrorCode.FRAME_SIZE_ERROR);
      return true;
    },
    frame: (type, flags, streamId, lengthBytes, bytes, start) => {
      open = undefined;
      consumed += 9 + lengthBytes;
      const payload = bytes.toString("latin1", start, start + lengthBytes);
      if (type !== FrameType.DATA) found.frames.push(`${type} ${flags} ${streamId} ${payload}`);
      else found.frames.push(`DATA ${streamId} ${(flags & Flag.END_STREAM) !== 0} ${unpad(flags, payload)}`);
    },
  });
  try {
    reader.push(stream);
  } catch (reason) {
    if (!(reason instanceof Breach)) throw reason;
    found.errorCode = reason.code;
    return found;
  }
  // Of a padded frame nothing is known before its end.
  if (open?.type === FrameType.DATA && (open.flags & Flag.PADDED) === 0) {
    found.partialData = stream.toString("latin1", open.payloadAt);
  }
  return found;
}

class Breach extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`breach ${code}`);
    this.code = code;
  }
}

/** The overhead of a DATA frame, and its data. */
function unpad(flags: number, payload: string): string {
  if ((flags & Flag.PADDED) === 0) return `0 ${payload}`;
  if (payload === "") throw new Breach(ErrorCode.FRAME_SIZE_ERROR);
  const paddingBytes = payload.charCodeAt(0);
  if (paddingBytes > payload.length - 1) throw new Breach(ErrorCode.PROTOCOL_ERROR);
  return `${paddingBytes + 1} ${payload.slice(1, payload.length - paddingBytes)}`;
}
