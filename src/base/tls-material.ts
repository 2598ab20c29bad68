import type { Cancel } from "./clock.ts";

/**
 * Certificates and keys in PEM form, as read from files. They may be others at
 * the next look: whoever uses them looks for each new connection. Whoever holds
 * one never logs it.
 */
export interface TlsMaterial {
  /** Trusted certificate authorities. Absent: the system's for a client, none for a server. */
  readonly ca?: Buffer | undefined;
  /** Our own certificate chain, leaf first. */
  readonly cert?: Buffer | undefined;
  /** The private key of `cert`. */
  readonly key?: Buffer | undefined;
  /** Client only: the name the peer's certificate must carry. Absent: the address's host. */
  readonly servername?: string | undefined;
  /** Hear when they are others. Absent: they never are. */
  onChange?(listener: () => void): Cancel;
}
