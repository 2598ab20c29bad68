import type { X509Certificate } from "node:crypto";
import type { LookupAddress } from "node:dns";
import type { Address } from "../base/address.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import type { RootPool } from "../trust/go-root-pool.ts";

/** Where BuildKit is said to be, and how a client would connect. */
export interface Target {
  readonly address: Address;
  /** Who says so, for people: `BUILDKIT_HOST`. */
  readonly origin: string;
  /** The client would use TLS. */
  readonly wantsTls: boolean;
  /** The name that the certificate must carry. Absent: the host. */
  readonly servername?: string;
  /** What the client trusts. */
  readonly roots: RootPool;
  /** The client's own certificate. */
  readonly own: Pick<TlsMaterial, "cert" | "key">;
  readonly isPublic: (root: X509Certificate) => boolean;
  /** All addresses of a host, as the system's resolver gives them. Rejects as node:dns does. */
  readonly lookup: (host: string) => Promise<readonly LookupAddress[]>;
}

/** The name that a certificate of the target's must carry. */
export function expectedName({ address, servername }: Target): string {
  return servername ?? (address.t === "tcp" ? address.host : "localhost");
}
