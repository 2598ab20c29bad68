import { expect, onTestFinished } from "vitest";
import type { RawPeer } from "./raw-http2/raw-peer.ts";

/** Fail the test, when it is over, if the other end has broken a rule for senders towards one of these. */
export function watch(peers: readonly RawPeer[]): void {
  onTestFinished(() => {
    for (const { rules } of peers) expect(rules.broken).toEqual([]);
  });
}
