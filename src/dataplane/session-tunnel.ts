import { frameMessage, GRPC_PREFIX_BYTES } from "../buildkit/grpc-message.ts";
import { readFields } from "../buildkit/protobuf-reader.ts";
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameFlag, FrameType, frame } from "../http2/frames.ts";

/*
 * Inside a Session stream runs a second HTTP/2 connection: the replica is its
 * client, buildx its server. A Go server closes it 10 s after the opening of
 * Session when no client preface has come, so a Session that is held longer
 * gets a preface and an empty SETTINGS frame from the gateway. When the
 * replica's own stream is joined, its preface and the client's acknowledgement
 * of the gateway's SETTINGS are taken out again.
 */

/** The tag of `BytesMessage.data` (field 1, length-delimited). */
const DATA_TAG = 0x0a;

/** Longest message that is looked into; real ones carry at most 32 KiB. */
const MAX_MESSAGE_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** The message that begins the inner connection in the replica's place. */
export function sessionPreface(): Buffer {
  return tunnelMessage(Buffer.concat([CLIENT_PREFACE, frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(0))]));
}

/** One BytesMessage, framed for gRPC. */
export function tunnelMessage(data: Buffer): Buffer {
  const length: number[] = [];
  for (let rest = data.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) | 0x80);
    if (rest < 128) break;
  }
  return frameMessage(Buffer.concat([Buffer.from([DATA_TAG, ...length]), data]));
}

/** Takes something out of the tunnelled bytes. */
export interface TunnelEdit {
  /** What is left of `data`. */
  edit(data: Buffer): Buffer;
  /** Nothing further is to be taken out. */
  readonly isDone: boolean;
}

/** Takes the replica's own client preface out. */
export class DropPreface implements TunnelEdit {
  #left = CLIENT_PREFACE.length;

  get isDone(): boolean {
    return this.#left === 0;
  }

  edit(data: Buffer): Buffer {
    const dropped = Math.min(this.#left, data.length);
    this.#left -= dropped;
    return data.subarray(dropped);
  }
}

/** Takes the client's first SETTINGS acknowledgement out: the replica has not sent what it answers. */
export class DropSettingsAck implements TunnelEdit {
  #carry: Buffer = Buffer.alloc(0);
  #payloadLeft = 0;
  #isDone = false;

  get isDone(): boolean {
    return this.#isDone;
  }

  edit(data: Buffer): Buffer {
    const bytes = Buffer.concat([this.#carry, data]);
    let at = 0;
    while (at < bytes.length && !this.#isDone) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, bytes.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
      } else if (bytes.length - at < FRAME_HEADER_BYTES) {
        break;
      } else if (bytes[at + 3] === FrameType.SETTINGS && bytes[at + 4]! & FrameFlag.ACK) {
        this.#isDone = true;
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + FRAME_HEADER_BYTES)]);
      } else {
        this.#payloadLeft = bytes.readUIntBE(at, 3);
        at += FRAME_HEADER_BYTES;
      }
    }
    this.#carry = bytes.subarray(at);
    return bytes.subarray(0, at);
  }
}

/** Applies an edit to a stream of gRPC messages that is cut anywhere. */
export class TunnelFilter {
  readonly #edit: TunnelEdit;
  /** Octets that no whole message has been made of, and from how many on it is worth looking again. */
  #carry: Buffer[] = [];
  #carriedBytes = 0;
  #wantedBytes = GRPC_PREFIX_BYTES;
  #isDone = false;

  constructor(edit: TunnelEdit) {
    this.#edit = edit;
  }

  /** From now on bytes may pass unchanged. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What to pass on for `bytes`. Messages that are not BytesMessages pass as they are, and so does what is left at the end. */
  push(bytes: Buffer, isEnd: boolean): Buffer {
    if (this.#isDone) return bytes;
    this.#carry.push(Buffer.from(bytes));
    this.#carriedBytes += bytes.length;
    if (this.#carriedBytes < this.#wantedBytes && !isEnd) return NOTHING;
    const all = Buffer.concat(this.#carry);
    const passed: Buffer[] = [];
    let at = 0;
    this.#wantedBytes = GRPC_PREFIX_BYTES;
    while (!this.#edit.isDone && all.length - at >= GRPC_PREFIX_BYTES) {
      const end = at + GRPC_PREFIX_BYTES + all.readUInt32BE(at + 1);
      if (end - at > MAX_MESSAGE_BYTES) {
        this.#isDone = true;
        break;
      }
      if (end > all.length) {
        this.#wantedBytes = end - at;
        break;
      }
      passed.push(this.#message(all.subarray(at, end)));
      at = end;
    }
    if (this.#edit.isDone || isEnd) this.#isDone = true;
    if (this.#isDone) {
      passed.push(all.subarray(at));
      at = all.length;
    }
    this.#carry = [all.subarray(at)];
    this.#carriedBytes = all.length - at;
    return Buffer.concat(passed);
  }

  #message(framed: Buffer): Buffer {
    if (framed[0] !== 0) return framed;
    const data = tunnelData(framed.subarray(GRPC_PREFIX_BYTES));
    if (!data) return framed;
    const left = this.#edit.edit(data);
    return left.length > 0 ? tunnelMessage(left) : Buffer.alloc(0);
  }
}

/** `data` of a BytesMessage; `undefined` where the bytes are something else or hold none. */
function tunnelData(message: Buffer): Buffer | undefined {
  try {
    const parts: Buffer[] = [];
    for (const field of readFields(message)) if (field.number === 1) parts.push(field.bytes);
    return parts.length > 0 ? parts[parts.length - 1] : undefined;
  } catch {
    return undefined;
  }
}
