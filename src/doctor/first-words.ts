import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../base/clock.ts";
import { printable } from "../base/printable.ts";
import { ConnectionError } from "../http2/errors.ts";
import { CLIENT_PREFACE, DEFAULT_MAX_FRAME_BYTES, FRAME_HEADER_BYTES, FrameType } from "../http2/frames.ts";
import { PeerSettings, settingsFrame } from "../http2/settings.ts";

/** What a server says first to a client of HTTP/2. */
export type FirstWords =
  /** HTTP/2, as RFC 9113 section 3.4 asks for. */
  | { readonly t: "settings"; readonly settings: PeerSettings }
  /** HTTP/2, and wrong. */
  | { readonly t: "bad_settings"; readonly reason: string }
  | { readonly t: "http1"; readonly line: string }
  /** A TLS record: it takes what it was told for a broken hello. */
  | { readonly t: "tls_record" }
  | { readonly t: "other"; readonly start: string }
  | { readonly t: "closed" }
  /** `code`: of Node or OpenSSL, such as `ECONNRESET` or `ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED`. */
  | { readonly t: "failed"; readonly code: string }
  | { readonly t: "silent" };

/** Longest status line of HTTP/1 that is shown. */
const MAX_LINE_CHARACTERS = 100;

const MAX_WORDS_BYTES = FRAME_HEADER_BYTES + DEFAULT_MAX_FRAME_BYTES;

/**
 * Begin HTTP/2 on a connection, and take down what the server says, up to its SETTINGS. Never rejects.
 *
 * Reads no more than one frame, whatever is sent. Whoever made the socket closes it, and keeps a listener for its errors.
 */
export function firstWords(socket: Duplex, timeoutMs: number, clock: Clock): Promise<FirstWords> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    let cancel: Cancel = () => {};
    const end = (words: FirstWords): void => {
      cancel();
      socket.off("data", read).off("error", fail).off("end", close).off("close", close);
      socket.pause();
      resolve(words);
    };
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk.subarray(0, MAX_WORDS_BYTES - bytes.length)]);
      const words = wordsOf(bytes);
      if (words) end(words);
    };
    const fail = ({ code = "unknown error" }: NodeJS.ErrnoException) => end({ t: "failed", code });
    const close = () => end(bytes.length === 0 ? { t: "closed" } : other(bytes));
    cancel = clock.after(timeoutMs, () => end(bytes.length === 0 ? { t: "silent" } : other(bytes)));
    socket.on("data", read).on("error", fail).on("end", close).on("close", close);
    socket.write(Buffer.concat([CLIENT_PREFACE, settingsFrame([])]));
  });
}

/** Undefined: not enough is there yet. */
function wordsOf(bytes: Buffer): FirstWords | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return isRecord(bytes) ? { t: "tls_record" } : undefined;
  if (isRecord(bytes)) return { t: "tls_record" };
  if (bytes.toString("latin1", 0, 5) === "HTTP/") return http1(bytes);
  const length = bytes.readUIntBE(0, 3);
  const isSettings = bytes[3] === FrameType.SETTINGS && bytes[4] === 0 && bytes.readUInt32BE(5) === 0;
  if (!isSettings || length > DEFAULT_MAX_FRAME_BYTES) return other(bytes);
  if (bytes.length < FRAME_HEADER_BYTES + length) return undefined;
  const settings = new PeerSettings();
  try {
    settings.apply(bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length), true);
  } catch (reason) {
    if (!(reason instanceof ConnectionError)) throw reason;
    return { t: "bad_settings", reason: reason.message };
  }
  return { t: "settings", settings };
}

/** An alert or a handshake (RFC 8446 section 5.1). */
function isRecord(bytes: Buffer): boolean {
  return (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 0x03;
}

function http1(bytes: Buffer): FirstWords | undefined {
  const text = bytes.toString("latin1");
  const end = text.search(/[\r\n]/);
  if (end < 0 && text.length < MAX_LINE_CHARACTERS) return undefined;
  return { t: "http1", line: printable(end < 0 ? text : text.slice(0, end), MAX_LINE_CHARACTERS) };
}

function other(bytes: Buffer): FirstWords {
  return { t: "other", start: printable(bytes.toString("latin1", 0, 16), 16) };
}
