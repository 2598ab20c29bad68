import { Flag, FrameType, unpadded, windowUpdateFrame } from "./frames.ts";
import type { Field } from "./hpack-encoder.ts";
import type { RawPeer } from "./raw-peer.ts";

/** What one side of a stream said, to its end. */
export interface RawMessage {
  /** Header lists in order: the beginning, and trailers where there are any. */
  readonly headers: readonly Field[][];
  readonly body: Buffer;
  /** Sizes of the DATA frames' payloads. */
  readonly pieces: readonly number[];
  /** Code of the RST_STREAM that ended it; absent where END_STREAM did. */
  readonly resetCode?: number;
}

/** How a message is read. */
export interface ReadOptions {
  /** Open the windows again as DATA comes. */
  readonly isGranting?: boolean;
}

/** Read what comes on a stream until END_STREAM or RST_STREAM. */
export async function readMessage(peer: RawPeer, streamId: number, options: ReadOptions = {}): Promise<RawMessage> {
  const headers: Field[][] = [];
  const bodies: Buffer[] = [];
  const pieces: number[] = [];
  for (;;) {
    const frame = await peer.next((it) => it.streamId === streamId && MESSAGE_TYPES.has(it.type));
    if (frame.type === FrameType.RST_STREAM) {
      return { headers, body: Buffer.concat(bodies), pieces, resetCode: frame.payload.readUInt32BE(0) };
    }
    if (frame.type === FrameType.DATA) {
      const data = unpadded(frame);
      bodies.push(data);
      pieces.push(data.length);
      if (options.isGranting && frame.payload.length > 0) {
        peer.send(windowUpdateFrame(0, frame.payload.length), windowUpdateFrame(streamId, frame.payload.length));
      }
    } else {
      const block = [unpadded(frame)];
      for (let last = frame; !(last.flags & Flag.END_HEADERS); ) {
        last = await peer.nextOf("CONTINUATION", streamId);
        block.push(last.payload);
      }
      headers.push(peer.decode(Buffer.concat(block)));
    }
    if (frame.flags & Flag.END_STREAM) return { headers, body: Buffer.concat(bodies), pieces };
  }
}

const MESSAGE_TYPES: ReadonlySet<number> = new Set([FrameType.DATA, FrameType.HEADERS, FrameType.RST_STREAM]);

/** The header list that the next HEADERS of a stream begins with. */
export async function readHeaders(peer: RawPeer, streamId: number): Promise<Field[]> {
  const frame = await peer.nextOf("HEADERS", streamId);
  const block = [unpadded(frame)];
  for (let last = frame; !(last.flags & Flag.END_HEADERS); ) {
    last = await peer.nextOf("CONTINUATION", streamId);
    block.push(last.payload);
  }
  return peer.decode(Buffer.concat(block));
}

/** The value of a field, by name. */
export function fieldOf(fields: readonly Field[] | undefined, name: string): string | undefined {
  return fields?.find(([known]) => known === name)?.[1];
}
