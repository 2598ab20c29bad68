import { Flag, FrameType, pingFrame } from "./frames.ts";
import type { RawPeer } from "./raw-peer.ts";

let pings = 0;

/** Send a PING and wait for its acknowledgement: the other side has then read whatever was sent before. */
export async function ping(peer: RawPeer): Promise<void> {
  const opaque = Buffer.alloc(8);
  opaque.writeUInt32BE(++pings);
  peer.send(pingFrame(opaque));
  await peer.next(
    ({ type, flags, payload }) => type === FrameType.PING && (flags & Flag.ACK) !== 0 && payload.equals(opaque),
  );
}

/**
 * Wait until what each of these has sent has gone through the switch and
 * arrived at the others. What has not come by then does not come.
 */
export async function settled(...peers: readonly RawPeer[]): Promise<void> {
  for (const peer of peers) await ping(peer);
  for (const peer of peers) await ping(peer);
}
