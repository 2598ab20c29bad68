/** One uncompressed gRPC message with its 5-byte prefix (gRPC over HTTP2, Length-Prefixed-Message). */
export function grpcMessage(body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}
