import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ReusedBufferReader } from "./socket-reader.ts";

/*
 * The unofficial door. Node lets `net.connect` and `tls.connect` read into
 * reused buffers (`onread`), but not the accepting side. What is done here is
 * what Node's own server does inside; both functions find out whether it works
 * in this runtime and say so, and their callers then read by events.
 * https://github.com/nodejs/node/issues/25436 asks for a public way.
 */

/** How sockets that were accepted come to be read into reused buffers. */
export interface OnReadDoor {
  /** For a socket that has never been read; `undefined` where it cannot be had. */
  readonly adopt: (accepted: Socket, reader: ReusedBufferReader) => Socket | undefined;
  /** For a TLS socket; false where it cannot be had. */
  readonly install: (socket: TLSSocket, reader: ReusedBufferReader) => boolean;
}

/** The part of a socket's inner handle that is used. */
interface Handle {
  reading?: boolean;
  readStop?(): void;
  useUserBuffer?(buffer: Uint8Array): void;
}

/**
 * Move an accepted, never-read socket's handle into a new socket that reads
 * into reused buffers. `undefined` where this runtime does not offer it.
 */
function adoptWithReader(accepted: Socket, reader: ReusedBufferReader): Socket | undefined {
  const inside = accepted as unknown as { _handle?: Handle | null };
  const handle = inside._handle;
  if (typeof handle?.readStop !== "function" || typeof handle.useUserBuffer !== "function") return undefined;
  handle.readStop();
  handle.reading = false;
  inside._handle = null;
  // The server counts its sockets until they are destroyed; without a handle that touches no connection.
  accepted.destroy();
  return new Socket({ handle, onread: reader.option, allowHalfOpen: false } as ConstructorParameters<typeof Socket>[0]);
}

/** The door as this runtime has it. */
export const RUNTIME_DOOR: OnReadDoor = { adopt: adoptWithReader, install: installReader };

/** Names of the symbols under which a socket keeps its `onread` option. */
const SYMBOL_NAMES = ["kBuffer", "kBufferCb", "kBufferGen"] as const;

/** Let a TLS socket of the server's side read into reused buffers from now on. False where that cannot be had. */
function installReader(socket: TLSSocket, reader: ReusedBufferReader): boolean {
  const handle = (socket as unknown as { _handle?: Handle | null })._handle;
  if (!SYMBOLS || typeof handle?.useUserBuffer !== "function") return false;
  const { buffer, callback } = reader.option;
  const first = buffer();
  Object.assign(socket, { [SYMBOLS.kBuffer]: first, [SYMBOLS.kBufferCb]: callback, [SYMBOLS.kBufferGen]: buffer });
  handle.useUserBuffer(first);
  return true;
}

const SYMBOLS = findSymbols();

function findSymbols(): Record<(typeof SYMBOL_NAMES)[number], symbol> | undefined {
  const onread = { buffer: () => new Uint8Array(1), callback: () => true };
  const sample = new Socket({ onread } as ConstructorParameters<typeof Socket>[0]);
  const all = Object.getOwnPropertySymbols(sample);
  const [kBuffer, kBufferCb, kBufferGen] = SYMBOL_NAMES.map((name) => all.find((known) => known.description === name));
  return kBuffer && kBufferCb && kBufferGen ? { kBuffer, kBufferCb, kBufferGen } : undefined;
}
