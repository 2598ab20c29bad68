import { GatewayError } from "../base/errors.ts";
import { readContentDigest } from "../buildkit/content-request.ts";
import { historyUpdateName } from "../buildkit/history-update.ts";
import { ProtobufError } from "../buildkit/protobuf-reader.ts";
import { readSolveRequest, readStatusRef, type SolveRequest } from "../buildkit/solve-request.ts";
import { headerValue } from "../http2/header-field.ts";
import type { Call } from "./call.ts";
import type { TooLarge } from "./held-body.ts";
import { CallOverLimit } from "./over-limit.ts";

/** Largest request that is read for a ref or a digest, and nothing else. */
const MAX_NAMING_BYTES = 64 * 1024;

/** Read a Solve whose body has come. `undefined`: not yet. Throws GatewayError. */
export function readSolve(call: Call, maxBytes: number): SolveRequest | undefined {
  return readMessage(call, maxBytes, (text) => new CallOverLimit("solveBytes", text), readSolveRequest);
}

/** Read the ref of a Status whose body has come. `undefined`: not yet. Throws GatewayError. */
export function readStatus(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, overNaming("Status request"), readStatusRef);
}

/** Read the digest that is asked for, when the body has come. `undefined`: not yet. Throws GatewayError. */
export function readContent(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, overNaming("Content request"), readContentDigest);
}

/** Read what is asked of a build's record, when the body has come. `undefined`: not yet. Throws GatewayError. */
export function readHistoryUpdate(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, overNaming("request for a record"), historyUpdateName);
}

function overNaming(what: string): TooLarge {
  return (text) => new GatewayError("limit_exceeded", `${text} (the largest ${what})`);
}

function readMessage<T>(call: Call, maxBytes: number, tooLarge: TooLarge, read: (message: Buffer) => T): T | undefined {
  const encoding = headerValue(call.fields, "grpc-encoding");
  const message = call.heldBody?.firstMessage(call.stream, encoding, maxBytes, tooLarge);
  if (message === undefined) {
    if (call.isHeldEnded) throw new GatewayError("invalid_request", `${call.kind} request ended inside its message`);
    return undefined;
  }
  try {
    return read(message);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw new GatewayError("invalid_request", `cannot read the ${call.kind} request: ${error.message}`, {
      cause: error,
    });
  }
}
