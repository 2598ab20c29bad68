import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { type ReadBuffer, ReadBufferPool } from "../../../src/dataplane/read-buffers.ts";
import { ReusedBufferReader } from "../../../src/dataplane/socket-reader.ts";
import { Transport } from "../../../src/dataplane/transport.ts";
import { TurnFlusher } from "../../../src/dataplane/turn-flusher.ts";

/** A reader, how often it has been told to read on, and a way to fill its buffer as a socket does. */
function newReader() {
  const reader = new ReusedBufferReader(new ReadBufferPool());
  let readOns = 0;
  reader.deliverTo(() => {});
  reader.readOn = () => {
    readOns++;
  };
  const { buffer, callback } = reader.option;
  return {
    reader,
    readOns: () => readOns,
    /** False: the socket is to stop. */
    fill: () => {
      const room = buffer();
      return callback(room.length, room);
    },
    readSmall: () => callback(100, buffer()),
  };
}

describe("a socket that never ends", () => {
  test("is read in portions: after each, others have their turn, and then it is read on", async () => {
    const { fill, readOns } = newReader();
    for (let portion = 1; portion <= 3; portion++) {
      let reads = 1;
      while (fill()) reads++;
      expect(reads).toBeLessThanOrEqual(4);
      expect(readOns()).toBe(portion - 1);
      await turn();
      expect(readOns()).toBe(portion);
    }
  });

  test("is not read on while somebody else has stopped it", async () => {
    const { reader, fill, readOns } = newReader();
    while (fill());
    reader.isPaused = true;
    await turn();
    expect(readOns()).toBe(0);
  });

  test("of small reads is never stopped", async () => {
    const { readSmall, readOns } = newReader();
    for (let read = 0; read < 10_000; read++) expect(readSmall()).toBe(true);
    await turn();
    expect(readOns()).toBe(0);
  });
});

// A client that has moved much leaves a large buffer behind: without this each new one made another, for the collector to find.
test("a socket that is closed gives its large buffer to the next one that needs it", async () => {
  const pool = new ReadBufferPool();
  const reader = new ReusedBufferReader(pool);
  const stream = new PassThrough();
  new Transport(stream, new TurnFlusher(), reader).start(
    () => {},
    () => {},
  );
  const { buffer, callback } = reader.option;
  callback(buffer().length, buffer());
  const large = buffer().buffer;
  expect(large.byteLength).toBeGreaterThan(256 * 1024);
  const isTaken = () => pool.take(true).bytes.buffer === large;
  expect(isTaken()).toBe(false);
  stream.destroy();
  await once(stream, "close");
  expect(isTaken()).toBe(true);
});

test("what is still being written of its buffer is not read over when the socket is closed", async () => {
  const pool = new ReadBufferPool();
  const reader = new ReusedBufferReader(pool);
  const leases: ReadBuffer[] = [];
  reader.deliverTo((_bytes, _start, _end, lease) => {
    lease!.retain();
    leases.push(lease!);
  });
  const { buffer, callback } = reader.option;
  callback(buffer().length, buffer());
  callback(buffer().length, buffer());
  const [, held] = leases;
  expect(held!.isLarge).toBe(true);
  reader.close();
  expect(pool.take(true) === held).toBe(false);
  held!.release();
  expect(pool.take(true) === held).toBe(true);
});
