import { expect, onTestFinished } from "vitest";
import type { RawPeer } from "./raw-http2/raw-peer.ts";

/** Fails the test, when it is over, if what is at the other end of one of these has broken a rule for senders. */
export function watcher(): (peer: RawPeer) => void {
  const peers: RawPeer[] = [];
  onTestFinished(() => {
    for (const { rules } of peers) expect(rules.broken).toEqual([]);
  });
  return (peer) => void peers.push(peer);
}
