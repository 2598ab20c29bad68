import { systemErrorText } from "../base/system-error.ts";

/** Why the gateway could not start, in one line for an operator. */
export function describeStartError(error: unknown): string {
  if (!(error instanceof Error)) return oneLine(String(error));
  const own = describeOwn(error);
  if (!(error.cause instanceof Error)) return own;
  const cause = describeStartError(error.cause);
  return own.includes(cause) ? own : `${own}: ${cause}`;
}

function describeOwn(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  // OpenSSL's words are for programmers: "error:0480006C:PEM routines::no start line".
  if (/^ERR_(OSSL|SSL|TLS|CRYPTO)_/.test(code)) {
    return `certificate or key not usable: ${oneLine(error.message.replace(/^error:[0-9A-F]+:/i, ""))} (${code})`;
  }
  const text = systemErrorText(error);
  if (text === undefined) return oneLine(error.message);
  const { syscall, path, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const subject = path ?? (port === undefined || port < 0 ? address : `${address}:${port}`);
  const attempt = syscall === "open" || syscall === "read" ? "read" : `${syscall ?? "use"}${subject ? " on" : ""}`;
  return `cannot ${attempt}${subject ? ` ${subject}` : ""}: ${text}`;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}
