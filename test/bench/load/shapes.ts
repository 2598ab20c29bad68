import { encodeFrame, FRAME_HEADER_BYTES, FrameType } from "../../support/raw-http2/frames.ts";
import { encodeFields, type Field } from "../../support/raw-http2/hpack-encoder.ts";

/** The streams of the benchmark. No BuildKit method is called so: whoever routes by method passes them to a replica. */
export const BENCH_PATH = {
  /** The client sends until it has enough; then the replica answers. */
  up: "/bench.v1.Bench/Up",
  /** The replica sends from the client's first message until the client half-closes. */
  down: "/bench.v1.Bench/Down",
  /** One small message each way. */
  echo: "/bench.v1.Bench/Echo",
  /** The replica says something small every {@link STATUS_PERIOD_MS}, until the client half-closes. */
  status: "/bench.v1.Bench/Status",
} as const;

/** Reads content, as `buildx history export` does; the bench's replica has one, of {@link CONTENT_BYTES}, whatever the digest. */
export const CONTENT_READ_PATH = "/containerd.services.content.v1.Content/Read";
export const CONTENT_BYTES = 100_000_000;

/** The trailer in which the replica says how many DATA bytes of a bulk stream it has received or sent. */
export const BYTES_TRAILER = "bench-bytes";

/** What each side grants for each stream: grpc-go's ceiling, so that flow control is not what limits. */
export const STREAM_WINDOW_BYTES = 16 * 2 ** 20;

/** What each side grants for each connection. */
export const CONNECTION_WINDOW_BYTES = 64 * 2 ** 20;

/** Received bytes are granted again in steps of this size. */
export const WINDOW_STEP_BYTES = 2 ** 20;

/** Payload of a bulk DATA frame: grpc-go's frames are at most this long, whatever the peer allows. */
export const BULK_FRAME_BYTES = 16_384;

/** Frames of one bulk message: 32 KiB with its prefix, as BuildKit's session sends. */
export const BULK_FRAMES_PER_MESSAGE = 2;

/** A unary request or answer with its prefix. */
export const UNARY_MESSAGE_BYTES = 5 + 64;

/** A message of a Status-like stream with its prefix: about one changed vertex. */
export const STATUS_MESSAGE_BYTES = 5 + 251;

/** Between two messages of such a stream. BuildKit's own progress comes ten times a second; this is more, so that there is something to measure. */
export const STATUS_PERIOD_MS = 10;

/** What grpc-go sends for a call, in its order. */
export function requestFields(path: string, isTls: boolean): Field[] {
  return [
    [":method", "POST"],
    [":scheme", isTls ? "https" : "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["user-agent", "grpc-go/1.72.2"],
    ["te", "trailers"],
    ["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ];
}

/** Response headers and trailers of a call that succeeds, as HPACK blocks. */
export const RESPONSE_BLOCK = encodeFields([
  [":status", "200"],
  ["content-type", "application/grpc"],
]);
export const OK_TRAILERS_BLOCK = trailersBlock(0);

/** Trailers with a status, and more if need be. */
export function trailersBlock(grpcStatus: number, message = "", more: readonly Field[] = []): Buffer {
  return encodeFields([["grpc-status", String(grpcStatus)], ["grpc-message", message], ...more]);
}

/** `count` DATA frames of a bulk stream in one buffer, message after message. `count` is a multiple of a message's frames. */
export function bulkFrames(streamId: number, count: number): Buffer {
  const frames: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const payload = Buffer.alloc(BULK_FRAME_BYTES, 0x61 + (index % 26));
    if (index % BULK_FRAMES_PER_MESSAGE === 0) {
      payload[0] = 0;
      payload.writeUInt32BE(BULK_FRAME_BYTES * BULK_FRAMES_PER_MESSAGE - 5, 1);
    }
    frames.push(encodeFrame(FrameType.DATA, 0, streamId, payload));
  }
  return Buffer.concat(frames);
}

/** Bytes of a bulk frame on the wire. */
export const BULK_FRAME_WIRE_BYTES = FRAME_HEADER_BYTES + BULK_FRAME_BYTES;
