import { ConnectionError, ErrorCode } from "../http2/errors.ts";
import type { FrameSink } from "../http2/frame-reader.ts";
import { FrameFlag, FrameType, MAX_WINDOW_BYTES } from "../http2/frames.ts";
import type { ForwardRun } from "./forward-run.ts";
import type { FrameConnection } from "./frame-connection.ts";
import { InboundHeaders } from "./inbound-headers.ts";
import type { Stream } from "./stream.ts";

/** Connection window that we grant and keep topped up: streams are held back by their own windows only. */
export const CONNECTION_WINDOW_BYTES = 1 << 30;

/** A change of the initial window goes through all streams: so many cost as much as a frame. */
const STREAMS_PER_FRAME = 100;

/** Acts on the frames that a peer sends (RFC 9113 §6): payload goes on, the rest changes its connection's state. */
export class InboundFrames implements FrameSink {
  readonly #connection: FrameConnection;
  readonly #run: ForwardRun;
  readonly #headers: InboundHeaders;
  #receiveWindow = CONNECTION_WINDOW_BYTES;

  constructor(connection: FrameConnection, run: ForwardRun) {
    this.#connection = connection;
    this.#run = run;
    this.#headers = new InboundHeaders(connection);
  }

  /** The connection has ended: wait for nothing any more. */
  stop(): void {
    this.#headers.stop();
  }

  data(
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
    isEndOfStream: boolean,
    overheadBytes: number,
    isEndOfFrame: boolean,
  ): void {
    this.#headers.requireNoBlock();
    const size = end - start;
    this.#consumeConnectionWindow(size + overheadBytes);
    const stream = this.#connection.streams.get(streamId);
    if (!stream?.isReadable) {
      this.#run.flush();
      if (size === 0) this.#connection.floods.countControlFrame("empty DATA");
      this.#dataOnAbsent(streamId, stream);
      return;
    }
    stream.receiveWindow -= size + overheadBytes;
    if (stream.receiveWindow < 0) {
      this.#run.flush();
      this.#connection.faultStream(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    if (!stream.hasReceivedHeaders || !stream.receiveContent(size, isEndOfStream)) {
      this.#run.flush();
      this.#connection.faultStream(stream, ErrorCode.PROTOCOL_ERROR);
      return;
    }
    if (size > 0) this.#connection.floods.usefulFrameCame();
    else if (!isEndOfStream && isEndOfFrame) this.#connection.floods.countControlFrame("empty DATA");
    const { partner } = stream;
    if (partner?.canTakeAtOnce(size)) {
      if (size > 0 || isEndOfStream) this.#run.forward(partner, bytes, start, end, isEndOfStream);
    } else {
      this.#run.flush();
      stream.receiver.data(bytes.subarray(start, end), isEndOfStream);
    }
    if (overheadBytes > 0) stream.grant(overheadBytes);
    if (isEndOfStream) stream.remoteEnded();
  }

  /** The connection's window counts octets of any stream, open or not, and is opened again on receipt. */
  #consumeConnectionWindow(bytes: number): void {
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0) throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded");
    if (this.#receiveWindow > CONNECTION_WINDOW_BYTES / 2) return;
    this.#connection.writer.windowUpdate(0, CONNECTION_WINDOW_BYTES - this.#receiveWindow);
    this.#receiveWindow = CONNECTION_WINDOW_BYTES;
  }

  #dataOnAbsent(streamId: number, stream: Stream | undefined): void {
    this.#connection.streams.refuseIdle(streamId, "DATA");
    if (stream) this.#connection.faultStream(stream, ErrorCode.STREAM_CLOSED);
    else this.#connection.resetAbsent(streamId, ErrorCode.STREAM_CLOSED);
  }

  frame(type: number, flags: number, streamId: number, payload: Buffer): void {
    this.#run.flush();
    if (this.#connection.isStarting && (type !== FrameType.SETTINGS || flags & FrameFlag.ACK)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "first frame is not SETTINGS");
    }
    if (type !== FrameType.CONTINUATION) this.#headers.requireNoBlock();
    switch (type) {
      case FrameType.HEADERS:
        this.#headers.headersFrame(flags, requireStream(streamId, "HEADERS"), payload);
        break;
      case FrameType.CONTINUATION:
        this.#headers.continuationFrame(flags, streamId, payload);
        break;
      case FrameType.WINDOW_UPDATE:
        this.#windowUpdateFrame(streamId, payload);
        break;
      case FrameType.RST_STREAM:
        this.#resetFrame(requireStream(streamId, "RST_STREAM"), payload);
        break;
      case FrameType.PING:
        requireConnection(streamId, "PING");
        requireSize(payload, 8, "PING");
        this.#connection.floods.countControlFrame("PING");
        if (!(flags & FrameFlag.ACK)) this.#connection.writer.pingAck(payload);
        break;
      case FrameType.SETTINGS:
        this.#settingsFrame(flags, streamId, payload);
        break;
      case FrameType.GOAWAY:
        requireConnection(streamId, "GOAWAY");
        if (payload.length < 8) requireSize(payload, 8, "GOAWAY");
        this.#connection.floods.countControlFrame("GOAWAY");
        this.#goawayFrame(payload);
        break;
      case FrameType.PRIORITY:
        this.#connection.floods.countControlFrame("PRIORITY");
        if (payload.length !== 5)
          this.#connection.resetAbsent(requireStream(streamId, "PRIORITY"), ErrorCode.FRAME_SIZE_ERROR);
        else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === requireStream(streamId, "PRIORITY")) {
          this.#connection.resetAbsent(streamId, ErrorCode.PROTOCOL_ERROR);
        }
        break;
      case FrameType.PUSH_PROMISE:
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE");
      default:
        // Unknown types are ignored (RFC 9113 §4.1), but not in any number.
        this.#connection.floods.countControlFrame("frames of unknown types");
    }
  }

  #windowUpdateFrame(streamId: number, payload: Buffer): void {
    requireSize(payload, 4, "WINDOW_UPDATE");
    this.#connection.floods.countWindowUpdate();
    const bytes = payload.readUInt32BE(0) & MAX_WINDOW_BYTES;
    if (streamId === 0) {
      if (bytes === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      this.#connection.sendWindow += bytes;
      if (this.#connection.sendWindow > MAX_WINDOW_BYTES) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "connection window over 2^31-1");
      }
      this.#connection.feedStarved();
      return;
    }
    const stream = this.#connection.streams.get(streamId);
    if (!stream) {
      this.#connection.streams.refuseIdle(streamId, "WINDOW_UPDATE");
      this.#connection.floods.countControlFrame("WINDOW_UPDATE on closed streams");
    } else if (bytes === 0) this.#connection.faultStream(stream, ErrorCode.PROTOCOL_ERROR);
    else this.#growSendWindow(stream, bytes);
  }

  #growSendWindow(stream: Stream, bytes: number): void {
    if (stream.sendWindow + bytes > MAX_WINDOW_BYTES) {
      this.#connection.faultStream(stream, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    stream.sendWindow += bytes;
    stream.drainQueue();
    stream.receiver.writable();
  }

  #resetFrame(streamId: number, payload: Buffer): void {
    requireSize(payload, 4, "RST_STREAM");
    this.#connection.streams.refuseIdle(streamId, "RST_STREAM");
    this.#connection.floods.countReset();
    this.#connection.streams.get(streamId)?.wasReset(payload.readUInt32BE(0));
  }

  #settingsFrame(flags: number, streamId: number, payload: Buffer): void {
    requireConnection(streamId, "SETTINGS");
    this.#connection.floods.countControlFrame("SETTINGS");
    if (flags & FrameFlag.ACK) {
      requireSize(payload, 0, "SETTINGS ACK");
      return;
    }
    const before = this.#connection.peer.initialWindowBytes;
    this.#connection.peer.apply(payload, !this.#connection.options.requests);
    this.#connection.writer.settingsAck();
    const change = this.#connection.peer.initialWindowBytes - before;
    if (change !== 0) {
      this.#connection.floods.countControlFrame("changes of window", this.#connection.streams.size / STREAMS_PER_FRAME);
      this.#changeSendWindows(change);
    }
    this.#connection.openWaiting();
    this.#connection.becomeReady();
  }

  /** A new initial window applies to open streams too, and may take them below zero (RFC 9113 §6.9.2). */
  #changeSendWindows(change: number): void {
    for (const stream of this.#connection.streams.all()) {
      if (stream.sendWindow + change > MAX_WINDOW_BYTES) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "stream window over 2^31-1");
      }
      stream.sendWindow += change;
      if (change > 0) {
        stream.drainQueue();
        stream.receiver.writable();
      }
    }
  }

  #goawayFrame(payload: Buffer): void {
    const lastStreamId = payload.readUInt32BE(0) & 0x7fff_ffff;
    const code = payload.readUInt32BE(4);
    this.#connection.options.handler.goingAway(
      lastStreamId,
      code,
      payload.toString("latin1", 8, Math.min(payload.length, 264)),
    );
    if (this.#connection.options.requests) return;
    for (const stream of this.#connection.streams.all()) {
      if (stream.id > lastStreamId) stream.wasReset(ErrorCode.REFUSED_STREAM);
    }
    this.#connection.refuseUnopened();
  }
}

function requireStream(streamId: number, frameName: string): number {
  if (streamId === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frameName} on stream 0`);
  return streamId;
}

function requireConnection(streamId: number, frameName: string): void {
  if (streamId !== 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `${frameName} on stream ${streamId}`);
}

function requireSize(payload: Buffer, bytes: number, frameName: string): void {
  if (payload.length !== bytes) {
    throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `${frameName} of ${payload.length} bytes`);
  }
}
