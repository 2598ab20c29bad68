import { seededBytes } from "../stories/seeded-bytes.ts";
import { dataFrame } from "./frames.ts";
import type { RawPeer } from "./raw-peer.ts";

/** How a body is sent. */
export interface SendOptions {
  /** Whether the last frame ends the stream. Default true. */
  readonly isEndStream?: boolean;
  /** Largest payload of one frame. Default: what the other end takes. */
  readonly pieceBytes?: number;
  /** Padding of each frame, which counts on the windows. */
  readonly paddingBytes?: number;
}

/** Send a body as fast as the other end's windows allow. */
export async function sendBody(
  peer: RawPeer,
  streamId: number,
  body: Buffer,
  options: SendOptions = {},
): Promise<void> {
  const { isEndStream = true, pieceBytes = peer.flow.maxFrameBytes, paddingBytes } = options;
  const overheadBytes = paddingBytes === undefined ? 0 : paddingBytes + 1;
  let at = 0;
  do {
    const window = Math.min(peer.flow.window(streamId), peer.flow.connectionWindow, peer.flow.maxFrameBytes);
    const size = Math.min(body.length - at, pieceBytes, window - overheadBytes);
    if (size <= 0 && at < body.length) {
      await peer.flow.changed();
      continue;
    }
    const isLast = at + size === body.length;
    peer.send(dataFrame(streamId, body.subarray(at, at + size), isLast && isEndStream, paddingBytes));
    at += size;
  } while (at < body.length);
}

/** A body that does not repeat, the same for the same seed. */
export function bodyOf(seed: number, bytes: number): Buffer {
  return Buffer.concat([...seededBytes(`body ${seed}`, bytes)]);
}
