import { requestBlock } from "./raw-http2/grpc-fields.ts";
import { grpcMessage } from "./raw-http2/grpc-message.ts";

/** Paths of the calls that make up a build. */
export const SOLVE = "/moby.buildkit.v1.Control/Solve";
export const STATUS = "/moby.buildkit.v1.Control/Status";
export const SESSION = "/moby.buildkit.v1.Control/Session";
export const PRUNE = "/moby.buildkit.v1.Control/Prune";
export const BRIDGE_PING = "/moby.buildkit.v1.frontend.LLBBridge/Ping";
export const BRIDGE_SOLVE = "/moby.buildkit.v1.frontend.LLBBridge/Solve";
export const BRIDGE_RETURN = "/moby.buildkit.v1.frontend.LLBBridge/Return";

/** What a Solve says of itself. */
export interface SolveFields {
  readonly ref: string;
  readonly buildSession?: string;
  readonly isInternal?: boolean;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly entitlements?: readonly string[];
  /** A definition of this many octets, which comes before the rest as in real Solves. */
  readonly definition?: Buffer;
}

/** A framed `SolveRequest`. */
export function solveMessage({
  ref,
  buildSession = "",
  isInternal = false,
  attrs = {},
  entitlements = [],
  definition,
}: SolveFields): Buffer {
  const entries = Object.entries(attrs).map(([key, text]) => bytesField(7, entry(key, text)));
  return grpcMessage(
    Buffer.concat([
      bytesField(1, Buffer.from(ref)),
      ...(definition ? [bytesField(2, bytesField(1, definition))] : []),
      bytesField(5, Buffer.from(buildSession)),
      ...entries,
      ...entitlements.map((name) => bytesField(9, Buffer.from(name))),
      ...(isInternal ? [Buffer.of((11 << 3) | 0, 1)] : []),
    ]),
  );
}

/** A framed `StatusRequest`. */
export function statusMessage(ref: string): Buffer {
  return grpcMessage(bytesField(1, Buffer.from(ref)));
}

/** The header block of a Session. */
export function sessionBlock(buildSession: string): Buffer {
  return requestBlock(SESSION, [
    ["x-docker-expose-session-uuid", buildSession],
    ["x-docker-expose-session-grpc-method", "/moby.filesync.v1.FileSync/DiffCopy"],
    ["x-docker-expose-session-grpc-method", "/moby.filesync.v1.Auth/Credentials"],
  ]);
}

/** The header block of a frontend's call. */
export function bridgeBlock(path: string, ref: string): Buffer {
  return requestBlock(path, [["buildkit-controlapi-buildid", ref]]);
}

/** One framed `BytesMessage`: what a Session is made of. */
export function tunnelled(data: Buffer): Buffer {
  return grpcMessage(bytesField(1, data));
}

function entry(key: string, text: string): Buffer {
  return Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, Buffer.from(text))]);
}

function bytesField(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) octets.push((rest % 128) | 0x80);
  return Buffer.from([...octets, rest]);
}
