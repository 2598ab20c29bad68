import { GatewayError } from "../base/errors.ts";
import { readContentDigest } from "../buildkit/content-request.ts";
import { historyUpdateName } from "../buildkit/history-update.ts";
import { ProtobufError } from "../buildkit/protobuf-reader.ts";
import { readSolveRequest, readStatusRef, type SolveRequest } from "../buildkit/solve-request.ts";
import { headerValue } from "../http2/header-field.ts";
import type { Call } from "./call.ts";

/** Largest request that is read for a ref or a digest, and nothing else. */
const MAX_NAMING_BYTES = 64 * 1024;

/** Read a Solve whose body has come. `undefined`: not yet. Throws GatewayError. */
export function readSolve(call: Call, maxBytes: number): SolveRequest | undefined {
  return readMessage(call, maxBytes, "limits.solveBytes", readSolveRequest);
}

/** Read the ref of a Status whose body has come. `undefined`: not yet. Throws GatewayError. */
export function readStatus(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, "the largest Status request", readStatusRef);
}

/** Read the digest that is asked for, when the body has come. `undefined`: not yet. Throws GatewayError. */
export function readContent(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, "the largest Content request", readContentDigest);
}

/** Read what is asked of a build's record, when the body has come. `undefined`: not yet. Throws GatewayError. */
export function readHistoryUpdate(call: Call): string | undefined {
  return readMessage(call, MAX_NAMING_BYTES, "the largest request for a record", historyUpdateName);
}

function readMessage<T>(call: Call, maxBytes: number, setting: string, read: (message: Buffer) => T): T | undefined {
  const encoding = headerValue(call.fields, "grpc-encoding");
  const message = call.heldBody?.firstMessage(call.stream, encoding, maxBytes, setting);
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
