import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { Stream, StreamReceiver } from "../../../src/dataplane/stream.ts";
import { ConnectionUnderTest } from "../../support/connection-under-test.ts";
import { ping } from "../../support/raw-http2/barrier.ts";
import {
  dataFrame,
  FrameType,
  headersFrame,
  Setting,
  settingsFrame,
  windowUpdateFrame,
} from "../../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK } from "../../support/raw-http2/grpc-fields.ts";
import { readMessage } from "../../support/raw-http2/raw-message.ts";
import { bodyOf } from "../../support/raw-http2/send-body.ts";

const REQUEST = [":method", ":scheme", ":path"].map((name) => ({ name, value: "x", isSensitive: false }));
const TRAILERS = [{ name: "grpc-status", value: "0", isSensitive: false }];

/** Writes down what a stream is told. */
class Diary implements StreamReceiver {
  readonly entries: string[] = [];
  headers(fields: readonly { name: string; value: string }[], isEndOfStream: boolean): void {
    this.entries.push(`headers ${fields[0]?.name}${isEndOfStream ? " end" : ""}`);
  }
  data(bytes: Buffer, isEndOfStream: boolean): void {
    this.entries.push(`data ${bytes}${isEndOfStream ? " end" : ""}`);
  }
  reset(code: number): void {
    this.entries.push(`reset ${code}`);
  }
  lost(error: Error): void {
    this.entries.push(`lost ${error.message}`);
  }
  writable(): void {}
  closed(): void {
    this.entries.push("closed");
  }
}

/** A client's side whose peer has said its SETTINGS. */
async function toServer(settings: readonly (readonly [number, number])[] = [], backlogBytes = 65_536) {
  const under = new ConnectionUnderTest({ limits: { backlogBytes } });
  under.peer.begin("server", settings);
  await ping(under.peer);
  const open = (isEndOfStream = false): { stream: Stream; diary: Diary } => {
    const stream = under.connection.openStream();
    const diary = new Diary();
    stream.receiver = diary;
    stream.sendHeaders(REQUEST, isEndOfStream);
    return { stream, diary };
  };
  return { ...under, connection: under.connection, peer: under.peer, open };
}

describe("payload that waits for a window", () => {
  test("is counted on its connection until it has left, and not a byte longer", async () => {
    const { connection, peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 10]]);
    const { stream } = open();
    stream.sendData(Buffer.alloc(100), false);
    stream.sendData(Buffer.alloc(50), true);
    expect(connection.queuedBytes).toBe(140);
    peer.send(windowUpdateFrame(1, 60));
    await ping(peer);
    expect(connection.queuedBytes).toBe(80);
    // The last octets close the stream: the answer has ended already.
    peer.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(1, OK_BLOCK, true), windowUpdateFrame(1, 1_000));
    await ping(peer);
    expect(connection.queuedBytes).toBe(0);
    expect(connection.openStreams).toBe(0);
    expect((await readMessage(peer, 1)).body).toHaveLength(150);
  });

  test("is forgotten with its stream, however that ends", async () => {
    const { connection, peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 0]]);
    const [first, second] = [open(), open()];
    for (const { stream } of [first, second]) stream.sendData(Buffer.alloc(1_000), false);
    expect(connection.queuedBytes).toBe(2_000);
    first.stream.reset(8);
    expect(connection.queuedBytes).toBe(1_000);
    peer.socket.destroy();
    await once(peer.socket, "close");
    await new Promise(setImmediate);
    expect(connection.queuedBytes).toBe(0);
    expect(second.diary.entries).toEqual(["lost connection closed by peer", "closed"]);
  });

  test("leaves in the order in which it was given, headers included", async () => {
    const { peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 3]]);
    const { stream } = open();
    stream.sendData(Buffer.from("abc"), false);
    stream.sendData(Buffer.from("def"), false);
    stream.sendHeaders(TRAILERS, true);
    // Nothing follows what ends the stream.
    stream.sendHeaders(TRAILERS, true);
    stream.sendData(Buffer.from("ghi"), true);
    for (const bytes of [1, 1, 1]) {
      peer.send(windowUpdateFrame(1, bytes));
      await ping(peer);
    }
    const message = await readMessage(peer, 1);
    expect([message.body.toString(), message.headers.length]).toEqual(["abcdef", 2]);
    await ping(peer);
    expect(peer.received.filter(({ streamId }) => streamId === 1)).toEqual([]);
  });

  test("is let out before a reset that is in no hurry, and not before one that is", async () => {
    const { peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 2]]);
    const [patient, hasty] = [open(), open()];
    for (const { stream } of [patient, hasty]) stream.sendData(Buffer.from("abcd"), true);
    patient.stream.resetWhenSent(0);
    hasty.stream.reset(8);
    expect((await readMessage(peer, 3)).resetCode).toBe(8);
    peer.send(windowUpdateFrame(1, 2));
    expect((await readMessage(peer, 1)).body.toString()).toBe("abcd");
    expect((await readMessage(peer, 1)).resetCode).toBe(0);
    expect(patient.diary.entries).toEqual(["closed"]);
  });

  test("waits for the connection's window in turn", async () => {
    const { peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
    const streams = [open(), open(), open()];
    const bodies = streams.map((_, i) => bodyOf(i, 50_000));
    for (const [i, { stream }] of streams.entries()) stream.sendData(bodies[i]!, true);
    const read = [1, 3, 5].map((id) => readMessage(peer, id));
    for (let granted = 65_535; granted < 150_000; granted += 10_000) {
      peer.send(windowUpdateFrame(0, 10_000));
      await ping(peer);
    }
    for (const [i, message] of (await Promise.all(read)).entries()) expect(message.body.equals(bodies[i]!)).toBe(true);
    expect(peer.flow.violations).toEqual([]);
  });
});

describe("whoever waits for room", () => {
  test("goes on when the windows have let enough out, in however many steps", async () => {
    const { connection, peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 0]], 10_000);
    const { stream } = open();
    stream.sendData(Buffer.alloc(60_000), false);
    expect(connection.congestion.isOver).toBe(true);
    let resumed = 0;
    connection.congestion.onceRelieved(() => resumed++);
    for (let granted = 0; granted < 40_000; granted += 5_000) {
      peer.send(windowUpdateFrame(1, 5_000));
      await ping(peer);
    }
    await new Promise(setImmediate);
    expect([connection.congestion.isOver, resumed]).toEqual([true, 0]);
    peer.send(windowUpdateFrame(1, 15_000));
    await ping(peer);
    await new Promise(setImmediate);
    expect([connection.congestion.isOver, resumed]).toEqual([false, 1]);
  });

  test("goes on when the connection is over", async () => {
    const { connection, peer, open } = await toServer([[Setting.INITIAL_WINDOW_SIZE, 0]], 10_000);
    open().stream.sendData(Buffer.alloc(60_000), false);
    let resumed = 0;
    connection.congestion.onceRelieved(() => resumed++);
    peer.socket.destroy();
    await once(peer.socket, "close");
    await new Promise(setImmediate);
    expect(resumed).toBe(1);
  });
});

describe("a connection that is over", () => {
  test("lets go of its stream, though the peer has only ended its own direction", async () => {
    const { stream, peer, told } = await toServer();
    const closed = once(stream, "close");
    peer.socket.end();
    await closed;
    expect(told).toContain("ended: connection closed by peer");
  });

  test("after a goodbye gives the peer a second to read it", async () => {
    const { connection, clock, stream, peer } = await toServer();
    connection.close(0, "bye");
    expect((await peer.nextOf("GOAWAY")).payload.toString("latin1", 8)).toBe("bye");
    expect(stream.destroyed).toBe(false);
    clock.advance(1_000);
    expect(stream.destroyed).toBe(true);
  });

  test("tells each stream once, and takes nothing more", async () => {
    const { connection, peer, open } = await toServer();
    const { stream, diary } = open();
    connection.close(0, "bye");
    stream.sendData(Buffer.from("late"), true);
    stream.reset(8);
    await peer.nextOf("GOAWAY");
    await peer.ended();
    expect(diary.entries).toEqual(["lost bye", "closed"]);
    expect(peer.received.map(({ type }) => type)).not.toContain(FrameType.DATA);
  });
});

describe("a stream", () => {
  test("is closed when both directions have ended, whoever is first", async () => {
    const { peer, open } = await toServer();
    const [early, late] = [open(true), open()];
    peer.send(headersFrame(1, RESPONSE_BLOCK), dataFrame(1, Buffer.from("x")), headersFrame(1, OK_BLOCK, true));
    peer.send(headersFrame(3, RESPONSE_BLOCK), dataFrame(3, Buffer.from("y"), true));
    await ping(peer);
    expect(early.diary.entries).toEqual(["headers :status", "data x", "headers grpc-status end", "closed"]);
    expect(late.diary.entries).toEqual(["headers :status", "data y end"]);
    late.stream.sendData(Buffer.alloc(0), true);
    expect(late.diary.entries.at(-1)).toBe("closed");
  });

  test("that waits to be opened is granted what it was promised when it is", async () => {
    const { peer, open } = await toServer([[Setting.MAX_CONCURRENT_STREAMS, 1]]);
    const first = open();
    const second = open();
    second.stream.grant(100_000);
    await ping(peer);
    expect(peer.flow.window(3)).toBe(65_535);
    expect(peer.flow.connectionWindow).toBe(2 ** 30);
    first.stream.reset(8);
    await peer.flow.until(3, (bytes) => bytes === 165_535);
    const [headers, update] = [
      await peer.next(({ streamId }) => streamId === 3),
      await peer.next(({ streamId }) => streamId === 3),
    ];
    expect([headers.type, update.type]).toEqual([FrameType.HEADERS, FrameType.WINDOW_UPDATE]);
  });

  test("that waits to be opened has the window that is in force when it is", async () => {
    const { peer, open } = await toServer([[Setting.MAX_CONCURRENT_STREAMS, 1]]);
    const first = open();
    open().stream.sendData(Buffer.alloc(50_000), false);
    peer.send(settingsFrame([[Setting.INITIAL_WINDOW_SIZE, 10]]));
    await ping(peer);
    first.stream.reset(8);
    expect((await peer.nextOf("DATA", 3)).payload).toHaveLength(10);
    await ping(peer);
    expect(peer.flow.violations).toEqual([]);
  });
});
