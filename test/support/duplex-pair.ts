import { type Duplex, duplexPair } from "node:stream";

/**
 * Two ends of an in-process connection that end together, as a socket's do:
 * node:stream's own pair does not tell one end that the other was destroyed.
 */
export function connectionPair(): [Duplex, Duplex] {
  const [one, other] = duplexPair();
  one.once("close", () => other.destroy());
  other.once("close", () => one.destroy());
  return [one, other];
}
