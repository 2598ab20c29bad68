import { Flag, unpadded } from "./raw-http2/frames.ts";
import type { RawPeer } from "./raw-http2/raw-peer.ts";

/** The next whole header block that the other side sends, of whichever stream: HEADERS and its CONTINUATIONs, joined. */
export async function receiveBlock(peer: RawPeer): Promise<{ streamId: number; block: Buffer }> {
  let frame = await peer.nextOf("HEADERS");
  const { streamId } = frame;
  const parts = [unpadded(frame)];
  while (!(frame.flags & Flag.END_HEADERS)) {
    frame = await peer.nextOf("CONTINUATION", streamId);
    parts.push(frame.payload);
  }
  return { streamId, block: Buffer.concat(parts) };
}
