import type { GatewayError } from "../base/errors.ts";
import { ErrorCode } from "../http2/errors.ts";
import { errorTrailers, field, responseHeaders } from "../http2/grpc-status.ts";
import { type HeaderField, headerValue } from "../http2/header-field.ts";
import type { Stream } from "./stream.ts";

/** Content types of gRPC over HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md, Content-Type). */
const GRPC_CONTENT_TYPE = /^application\/grpc(?:$|[+;])/;

/** What to answer a request that is not a gRPC call; `undefined` where it is one. */
export function notGrpc(fields: readonly HeaderField[]): HeaderField[] | undefined {
  if (headerValue(fields, ":method") !== "POST") return [field(":status", "405"), field("allow", "POST")];
  return GRPC_CONTENT_TYPE.test(headerValue(fields, "content-type") ?? "") ? undefined : [field(":status", "415")];
}

/** A gRPC response that consists of an error and nothing else. */
export function refusedWith(error: GatewayError): HeaderField[] {
  return [...responseHeaders(), ...errorTrailers(error)];
}

/** Answer a request that no call is made of. */
export function refuse(stream: Stream, fields: readonly HeaderField[]): void {
  stream.sendHeaders(fields, true);
  stream.reset(ErrorCode.NO_ERROR);
}
