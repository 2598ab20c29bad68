/** Certificates and keys in PEM form, as read from files. Whoever holds one never logs it. */
export interface TlsMaterial {
  /** Trusted certificate authorities. Absent: the system's for a client, none for a server. */
  readonly ca?: Buffer;
  /** Our own certificate chain, leaf first. */
  readonly cert?: Buffer;
  /** The private key of `cert`. */
  readonly key?: Buffer;
  /** Client only: the name the peer's certificate must carry. Absent: the address's host. */
  readonly servername?: string;
}
