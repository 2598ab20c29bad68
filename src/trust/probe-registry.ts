import type { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { toPem } from "../base/pem.ts";
import type { RegistryName } from "./registry-name.ts";
import { objectionTo, sentChain } from "./sent-chain.ts";

/** What a registry's port answers. */
export type ProbeOutcome =
  /** TLS; `chain` as it was sent, the server's own certificate first. */
  | {
      readonly t: "tls";
      readonly chain: readonly X509Certificate[];
      readonly protocol: string;
      /** OpenSSL's word against the chain, such as `INVALID_PURPOSE`; absent where it has none. */
      readonly objection?: string;
    }
  /** HTTP without TLS. */
  | { readonly t: "plain_http" }
  | { readonly t: "unknown_name" }
  | { readonly t: "refused" }
  | { readonly t: "timeout"; readonly phase: "connecting" | "TLS handshake" }
  /** `code`: of Node or OpenSSL, such as `ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION`. */
  | { readonly t: "failed"; readonly code: string };

/** How a registry is asked. */
export interface ProbeOptions {
  /** What OpenSSL is to judge the chain by. Default: nothing, so that it objects to every chain. */
  readonly roots?: readonly X509Certificate[];
  /** For everything together. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Longest answer that is waited for to know HTTP. */
const HTTP_HEAD = "HTTP/";

/**
 * Connect to a registry and take down the chain that it sends, whatever it is worth. Never rejects.
 *
 * When the handshake breaks off, the port is asked once more, in plain HTTP.
 */
export async function probeRegistry(registry: RegistryName, options: ProbeOptions): Promise<ProbeOutcome> {
  const deadlineMs = options.clock.nowMs() + options.timeoutMs;
  const outcome = await handshake(registry, options);
  if (outcome.t !== "failed" && !(outcome.t === "timeout" && outcome.phase === "TLS handshake")) return outcome;
  // A server that waits for a whole HTTP request does not answer a handshake: it is given what time is left, or a second.
  const timeoutMs = Math.max(deadlineMs - options.clock.nowMs(), 1_000);
  return (await speaksHttp(registry, { ...options, timeoutMs })) ? { t: "plain_http" } : outcome;
}

function handshake(
  { host, port }: RegistryName,
  { timeoutMs, clock, roots = [] }: ProbeOptions,
): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    let phase: "connecting" | "TLS handshake" = "connecting";
    // With no root, the chain that is read holds only what the server sent.
    const socket = connectTls({
      host,
      port,
      ca: roots.map(({ raw }) => toPem(raw)),
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      ...(isIP(host) === 0 && { servername: host }),
    });
    const cancel = clock.after(timeoutMs, () => end({ t: "timeout", phase }));
    const end = (outcome: ProbeOutcome): void => {
      cancel();
      socket.destroy();
      resolve(outcome);
    };
    socket.once("connect", () => {
      phase = "TLS handshake";
    });
    socket.once("secureConnect", () => {
      const chain = sentChain(socket);
      if (chain.length === 0) end({ t: "failed", code: "no certificate sent" });
      else end({ t: "tls", chain, protocol: socket.getProtocol() ?? "TLS", ...objectionTo(socket) });
    });
    socket.on("error", (error: NodeJS.ErrnoException) => end(describeFailure(error)));
    socket.once("close", () => end({ t: "failed", code: "closed during the handshake" }));
  });
}

function describeFailure({ code = "unknown error" }: NodeJS.ErrnoException): ProbeOutcome {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || code === "EAI_NODATA") return { t: "unknown_name" };
  if (code === "ECONNREFUSED") return { t: "refused" };
  if (code === "ETIMEDOUT" || code === "EHOSTUNREACH" || code === "ENETUNREACH") {
    return code === "ETIMEDOUT" ? { t: "timeout", phase: "connecting" } : { t: "failed", code };
  }
  return { t: "failed", code };
}

function speaksHttp({ host, port }: RegistryName, { timeoutMs, clock }: ProbeOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    const cancel = clock.after(timeoutMs, () => end(false));
    const end = (isHttp: boolean): void => {
      cancel();
      socket.destroy();
      resolve(isHttp);
    };
    let head = "";
    socket.once("connect", () =>
      socket.write(`GET /v2/ HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: close\r\n\r\n`),
    );
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      if (head.length >= HTTP_HEAD.length) end(head.startsWith(HTTP_HEAD));
    });
    socket.on("error", () => end(false));
    socket.once("close", () => end(false));
  });
}
