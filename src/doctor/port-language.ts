import type { Address } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { FirstWords } from "./first-words.ts";
import type { Answer } from "./steps.ts";
import { expectedName, type Target } from "./target.ts";
import { greetInClear, greetInTls, type TlsGreeting } from "./tls-greeting.ts";

/** What a port speaks, and what is gone on with. */
export type Language =
  | { readonly t: "tls"; readonly greeting: Extract<TlsGreeting, { t: "tls" }> }
  | { readonly t: "clear"; readonly words: FirstWords };

/** OpenSSL's codes for what only a TLS server sends: an alert about this client's certificate, or about the handshake. */
const TLS_ALERT = /ALERT/;

/** What a server says to whom it does not take, by OpenSSL's codes. */
const CERTIFICATE_ALERT = /CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE/;

/**
 * Find out whether the port speaks TLS or HTTP/2 in the clear, by trying both at
 * once; the checks go on with what it speaks. Never rejects.
 */
export async function findLanguage(
  address: Address,
  target: Target,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Answer<Language>> {
  const [tls, clear] = await Promise.all([
    greetInTls(address, { clock, timeoutMs, servername: expectedName(target), own: target.own }),
    greetInClear(address, clock, timeoutMs),
  ]);
  const speaksClear = clear.t === "settings" || clear.t === "bad_settings";
  if (target.wantsTls) {
    if (tls.t === "tls")
      return { outcome: { t: "ok", seen: `TLS (${tls.protocol})` }, value: { t: "tls", greeting: tls } };
    if (speaksClear) {
      const seen = "TLS is asked for, and the port speaks HTTP/2 in the clear";
      const fix = "leave out the certificates at the client, or set tls.cert and tls.key at the gateway";
      return { outcome: { t: "failure", seen, fix }, value: { t: "clear", words: clear } };
    }
  } else {
    if (speaksClear) {
      const seen = `HTTP/2 in the clear${tls.t === "tls" ? "; it takes TLS too" : ""}`;
      return { outcome: { t: "ok", seen }, value: { t: "clear", words: clear } };
    }
    if (tls.t === "tls") {
      const seen = `cleartext is asked for, and the port speaks ${tls.protocol}`;
      const fix = "give --ca, and --cert and --key where asked for; with buildx: the driver options cacert, cert, key";
      return { outcome: { t: "failure", seen, fix }, value: { t: "tls", greeting: tls } };
    }
  }
  return { outcome: { t: "failure", ...neither(tls, clear) } };
}

function neither(tls: Exclude<TlsGreeting, { t: "tls" }>, clear: FirstWords): { seen: string; fix: string } {
  if (tls.t === "failed" && TLS_ALERT.test(tls.code) && CERTIFICATE_ALERT.test(tls.code)) {
    const seen = `it speaks TLS, and ends the handshake: ${tls.code}`;
    return { seen, fix: "give --cert and --key of a client certificate that it takes; it may ask for one" };
  }
  if (clear.t === "http1") {
    const fix = "name the port for builds; an admin or debug port, or a proxy without HTTP/2, answers like this";
    return { seen: `it answers in HTTP/1: ${clear.line}`, fix };
  }
  const fix = "check that this is the port of a gateway or of buildkitd, and what stands in front of it";
  if (clear.t === "tls_record") {
    return { seen: `it speaks TLS, and the handshake fails: ${codeOf(tls)}`, fix: "it must take TLS 1.2 or later" };
  }
  if (clear.t === "other") return { seen: `it answers neither in TLS nor in HTTP/2: ${clear.start}`, fix };
  if (clear.t === "silent" && tls.t === "silent") return { seen: "it takes connections and says nothing", fix };
  return { seen: `it speaks neither TLS (${codeOf(tls)}) nor HTTP/2 (${wordsCode(clear)})`, fix };
}

function codeOf(tls: Exclude<TlsGreeting, { t: "tls" }>): string {
  return tls.t === "failed" ? tls.code : "no answer";
}

function wordsCode(words: FirstWords): string {
  if (words.t === "failed") return words.code;
  return words.t === "silent" ? "no answer" : "closes the connection";
}
