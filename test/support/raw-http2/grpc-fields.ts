import { encodeFields, type Field } from "./hpack-encoder.ts";

/** The path of a method that no part of the gateway knows: it goes to any replica. */
export const OTHER_PATH = "/test.Other/Call";

/** The header list of a gRPC request. */
export function requestFields(path = OTHER_PATH, more: readonly Field[] = []): Field[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "test"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...more,
  ];
}

/** A request's header block. */
export function requestBlock(path?: string, more?: readonly Field[]): Buffer {
  return encodeFields(requestFields(path, more));
}

export const RESPONSE_FIELDS: readonly Field[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

/** The header block of a response's beginning. */
export const RESPONSE_BLOCK = encodeFields(RESPONSE_FIELDS);

/** Trailers of a call that went well. */
export const OK_FIELDS: readonly Field[] = [["grpc-status", "0"]];

export const OK_BLOCK = encodeFields(OK_FIELDS);
