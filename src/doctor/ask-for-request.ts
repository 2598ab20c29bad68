import { connect as connectTcp, isIP } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { type CertificateRequest, readCertificateRequest } from "./certificate-request.ts";

/** Bytes of a handshake that are read; chains and lists of authorities are far smaller. */
const MAX_HANDSHAKE_BYTES = 262_144;

/**
 * Begin a TLS 1.2 handshake to hear whether the server asks for a client certificate: Node tells of no such thing. Never
 * rejects; undefined where the server does not say, such as one that speaks TLS 1.3 only.
 */
export function askForRequest(
  address: Address,
  { clock, timeoutMs, servername }: { readonly clock: Clock; readonly timeoutMs: number; readonly servername: string },
): Promise<CertificateRequest | undefined> {
  return new Promise((resolve) => {
    const raw = connectTcp(address.t === "unix" ? { path: address.path } : address);
    let seen = Buffer.alloc(0);
    const tapped = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, written) => raw.write(chunk, () => written()),
    });
    const secured = connectTls({
      socket: tapped,
      maxVersion: "TLSv1.2",
      rejectUnauthorized: false,
      ...(isIP(servername) === 0 && { servername }),
    });
    const end = (request?: CertificateRequest): void => {
      cancel();
      secured.destroy();
      tapped.destroy();
      raw.destroy();
      resolve(request);
    };
    const cancel = clock.after(timeoutMs, () => end());
    raw.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const request = readCertificateRequest(seen);
      if (request || seen.length > MAX_HANDSHAKE_BYTES) end(request);
      else tapped.push(chunk);
    });
    for (const stream of [raw, tapped, secured]) stream.on("error", () => end()).on("close", () => end());
  });
}
