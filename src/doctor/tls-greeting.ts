import type { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { toPem } from "../base/pem.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { objectionTo, sentChain } from "../trust/sent-chain.ts";
import { type FirstWords, firstWords } from "./first-words.ts";

/** What came of TLS with a server. */
export type TlsGreeting =
  | {
      readonly t: "tls";
      readonly chain: readonly X509Certificate[];
      /** `TLSv1.3` */
      readonly protocol: string;
      /** What the server chose of HTTP/2 and nothing else; absent: nothing. */
      readonly alpn?: string;
      /** OpenSSL's word against the chain. */
      readonly objection?: string;
      /** What it said on the secured connection. */
      readonly words: FirstWords;
    }
  /** `code`: of Node or OpenSSL, such as `ERR_SSL_WRONG_VERSION_NUMBER`. */
  | { readonly t: "failed"; readonly code: string }
  | { readonly t: "silent" };

/** How a server is greeted. */
export interface TlsGreetingOptions {
  readonly clock: Clock;
  /** For the handshake, and again for what is said on it. */
  readonly timeoutMs: number;
  /** The name that is asked for (SNI); an IP address is not sent. */
  readonly servername: string;
  /** Our own certificate, shown where it is asked for. */
  readonly own: Pick<TlsMaterial, "cert" | "key">;
  /** What OpenSSL is to judge the chain by. Default: nothing, so that the chain is as it was sent. */
  readonly roots?: readonly X509Certificate[];
}

/** Make a TLS handshake, begin HTTP/2 on it, and take down what is seen, whatever it is worth. Never rejects. */
export function greetInTls(address: Address, options: TlsGreetingOptions): Promise<TlsGreeting> {
  const { clock, timeoutMs, servername, own, roots = [] } = options;
  return new Promise((resolve) => {
    const socket = connectTls({
      ...(address.t === "unix" ? { path: address.path } : { host: address.host, port: address.port }),
      ca: roots.map(({ raw }) => toPem(raw)),
      ...(own.cert && { cert: own.cert }),
      ...(own.key && { key: own.key }),
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      // The name is judged with the rest of the chain.
      checkServerIdentity: () => undefined,
      ...(isIP(servername) === 0 && { servername }),
    });
    const cancel = clock.after(timeoutMs, () => end({ t: "silent" }));
    const end = (greeting: TlsGreeting): void => {
      cancel();
      socket.destroy();
      resolve(greeting);
    };
    const fail = ({ code = "unknown error" }: NodeJS.ErrnoException) => end({ t: "failed", code });
    const close = () => end({ t: "failed", code: "closed during the handshake" });
    socket.on("error", fail).on("close", close);
    socket.once("secureConnect", () => {
      cancel();
      // From here on the errors are the words' own.
      socket
        .off("close", close)
        .off("error", fail)
        .on("error", () => {});
      const chain = readChain(socket);
      const protocol = socket.getProtocol() ?? "TLS";
      const alpn = socket.alpnProtocol || undefined;
      const objection = objectionTo(socket);
      firstWords(socket, timeoutMs, clock).then((words) => {
        const seen = { t: "tls", chain, protocol, ...objection, words } as const;
        end(
          chain.length === 0
            ? { t: "failed", code: "no certificate that can be read" }
            : { ...seen, ...(alpn && { alpn }) },
        );
      });
    });
  });
}

/** Node throws on some keys that OpenSSL shakes hands with; nobody would catch that in a listener. */
function readChain(socket: TLSSocket): readonly X509Certificate[] {
  try {
    return sentChain(socket);
  } catch {
    return [];
  }
}

/** Begin HTTP/2 in the clear, and take down what is seen. Never rejects. */
export function greetInClear(address: Address, clock: Clock, timeoutMs: number): Promise<FirstWords> {
  const socket: Socket = connectTcp(address.t === "unix" ? { path: address.path } : address);
  socket.on("error", () => {});
  return firstWords(socket, timeoutMs, clock).finally(() => socket.destroy());
}
