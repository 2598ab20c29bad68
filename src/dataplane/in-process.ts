import { type Duplex, duplexPair } from "node:stream";
import type { Dialed } from "./dialer.ts";

/** A pair of streams, one end of which the façade serves. */
export function inProcess(joinFacade: (duplex: Duplex) => void): Dialed {
  const [ours, theirs] = duplexPair();
  // Unlike a socket's, the end of one side is no event for the other (Node 20).
  ours.once("close", () => theirs.destroy());
  theirs.once("close", () => ours.destroy());
  joinFacade(theirs);
  return { stream: ours, reader: undefined, openEvent: undefined, keepsWritten: true };
}
