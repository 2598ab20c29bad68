import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ForwardRun } from "../../../src/dataplane/forward-run.ts";
import { ReadBufferPool } from "../../../src/dataplane/read-buffers.ts";
import type { Stream } from "../../../src/dataplane/stream.ts";
import { ConnectionUnderTest } from "../../support/connection-under-test.ts";
import { ping } from "../../support/raw-http2/barrier.ts";
import { dataFrame, Flag, type Frame } from "../../support/raw-http2/frames.ts";

const HEADERS = [":method", ":scheme", ":path"].map((name) => ({ name, value: "x", isSensitive: false }));

/** A connection with open streams, which DATA may be handed to. */
async function target(streams: number) {
  const { connection, peer } = new ConnectionUnderTest();
  peer.begin("server");
  await ping(peer);
  const opened = Array.from({ length: streams }, (): Stream => {
    const stream = connection.openStream();
    stream.sendHeaders(HEADERS, false);
    return stream;
  });
  return { connection, peer, streams: opened };
}

async function dataOf(
  peer: { next(accepts: (frame: Frame) => boolean): Promise<Frame> },
  count: number,
): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const { streamId, flags, payload } = await peer.next(({ type }) => type === 0);
    found.push(`${streamId} ${payload}${flags & Flag.END_STREAM ? " end" : ""}`);
  }
  return found;
}

/** A chunk as it was read: some frames of the other side's, with room for a header in front. */
function chunkOf(...bodies: readonly string[]): { chunk: Buffer; at: number[] } {
  const frames = bodies.map((body) => dataFrame(99, Buffer.from(body)));
  let end = 9;
  const at = frames.map((frame) => {
    end += frame.length;
    return end;
  });
  return { chunk: Buffer.concat([Buffer.alloc(9), ...frames]), at };
}

describe("DATA on its way from a chunk", () => {
  test("leaves in the memory that it was read into, renamed to the stream it goes to", async () => {
    const { peer, streams } = await target(2);
    const { chunk, at } = chunkOf("one", "two", "three");
    const lease = new ReadBufferPool().take(true);
    const run = new ForwardRun();
    run.begin(chunk, lease);
    run.forward(streams[0]!, chunk, at[0]! - 3, at[0]!, false);
    run.forward(streams[1]!, chunk, at[1]! - 3, at[1]!, false);
    run.forward(streams[0]!, chunk, at[2]! - 5, at[2]!, true);
    run.finish();
    expect(await dataOf(peer, 3)).toEqual(["1 one", "3 two", "1 three end"]);
    expect(streams[0]!.isWritable).toBe(false);
  });

  test("goes to several connections in order, each of its own", async () => {
    const [left, right] = [await target(1), await target(1)];
    const { chunk, at } = chunkOf("L1", "R1", "R2", "L2");
    const run = new ForwardRun();
    run.begin(chunk, undefined);
    for (const [i, side] of [left, right, right, left].entries()) {
      run.forward(side.streams[0]!, chunk, at[i]! - 2, at[i]!, false);
    }
    run.finish();
    expect(await dataOf(left.peer, 2)).toEqual(["1 L1", "1 L2"]);
    expect(await dataOf(right.peer, 2)).toEqual(["1 R1", "1 R2"]);
  });

  test("does not swallow what lies between frames: padding, or a frame that stays", async () => {
    const { peer, streams } = await target(1);
    const padded = dataFrame(99, Buffer.from("padded"), false, 5);
    const chunk = Buffer.concat([Buffer.alloc(9), padded, dataFrame(99, Buffer.from("plain"))]);
    const run = new ForwardRun();
    run.begin(chunk, undefined);
    run.forward(streams[0]!, chunk, 19, 25, false);
    run.forward(streams[0]!, chunk, chunk.length - 5, chunk.length, false);
    run.finish();
    expect(await dataOf(peer, 2)).toEqual(["1 padded", "1 plain"]);
  });

  test("that begins where there is no room for a header leaves all the same", async () => {
    const { peer, streams } = await target(1);
    const chunk = Buffer.from("rest of a frame");
    const run = new ForwardRun();
    run.begin(chunk, undefined);
    run.forward(streams[0]!, chunk, 0, chunk.length, false);
    const carried = Buffer.from("put together from pieces");
    run.forward(streams[0]!, carried, 10, carried.length, true);
    run.finish();
    expect(await dataOf(peer, 2)).toEqual(["1 rest of a frame", "1 er from pieces end"]);
  });

  test("is taken off both windows of where it goes", async () => {
    const { connection, streams } = await target(1);
    const { chunk, at } = chunkOf("12345");
    const run = new ForwardRun();
    run.begin(chunk, undefined);
    run.forward(streams[0]!, chunk, at[0]! - 5, at[0]!, false);
    run.finish();
    expect([streams[0]!.sendWindow, connection.sendWindow]).toEqual([65_530, 65_530]);
    await turn();
  });

  test("keeps the chunk until it has left, and no longer", async () => {
    const { peer, streams } = await target(1);
    const pool = new ReadBufferPool();
    const lease = pool.take(true);
    const body = "x".repeat(5_000);
    dataFrame(99, Buffer.from(body)).copy(lease.bytes, 9);
    const run = new ForwardRun();
    run.begin(lease.bytes, lease);
    run.forward(streams[0]!, lease.bytes, 18, 5_018, false);
    run.finish();
    expect(lease.isUnshared).toBe(false);
    expect(await dataOf(peer, 1)).toEqual([`1 ${body}`]);
    await turn();
    expect(lease.isUnshared).toBe(true);
  });
});
