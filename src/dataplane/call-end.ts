import { type ErrorKind, type GatewayError, GrpcStatus } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { ErrorCode } from "../http2/errors.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { CallEnding, CallOutcome } from "../routing/routed-call.ts";

/** Hears of a call's end. It is called for every call, so what it does must cost little. */
export type OnCallEnded = (path: string, end: CallEnding, durationMs: number) => void;

/** Longest message that is kept. */
const MAX_MESSAGE_CHARACTERS = 400;

/** What a client makes of a reset where no status came (grpc/grpc doc/PROTOCOL-HTTP2.md, Errors). */
const STATUS_OF_RESET: Readonly<Record<number, number>> = {
  [ErrorCode.REFUSED_STREAM]: GrpcStatus.UNAVAILABLE,
  [ErrorCode.CANCEL]: GrpcStatus.CANCELLED,
  [ErrorCode.ENHANCE_YOUR_CALM]: GrpcStatus.RESOURCE_EXHAUSTED,
  [ErrorCode.INADEQUATE_SECURITY]: GrpcStatus.PERMISSION_DENIED,
};

/** What of the gateway's own errors is more than a refusal. */
const OUTCOME_BY_KIND: Partial<Record<ErrorKind, CallOutcome>> = { cancelled: "cancelled", upstream_lost: "lost" };

/** How a call has ended that the gateway answered with this error. */
export function outcomeOfError({ kind }: GatewayError): CallOutcome {
  return OUTCOME_BY_KIND[kind] ?? "refused";
}

/** A call that ended with trailers. */
export function endOfTrailers(fields: readonly HeaderField[], saidBy: CallEnding["saidBy"]): CallEnding {
  const text = headerValue(fields, "grpc-status") ?? "";
  const status = /^\d{1,2}$/.test(text) ? Number(text) : -1;
  return { status, saidBy, message: status === 0 ? "" : readMessage(headerValue(fields, "grpc-message") ?? "") };
}

/** A call that ended with RST_STREAM; a client's reset is a cancel, whatever its code. */
export function endOfReset(code: number, saidBy: CallEnding["saidBy"]): CallEnding {
  const status = saidBy === "client" ? GrpcStatus.CANCELLED : (STATUS_OF_RESET[code] ?? GrpcStatus.INTERNAL);
  return { status, saidBy, message: "" };
}

/** The beginning of a `grpc-message`, of which a percent-encoded character may be cut (doc/PROTOCOL-HTTP2.md, Status-Message). */
function readMessage(encoded: string): string {
  const isCut = encoded.length > MAX_MESSAGE_CHARACTERS;
  const start = encoded.slice(0, MAX_MESSAGE_CHARACTERS).replace(isCut ? /%[0-9A-Fa-f]?$/ : "", "");
  const bytes = start.replace(/%([0-9A-Fa-f]{2})/g, (_whole, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return printable(Buffer.from(bytes, "latin1").toString("utf8").replace(/\n/g, " "), MAX_MESSAGE_CHARACTERS);
}
