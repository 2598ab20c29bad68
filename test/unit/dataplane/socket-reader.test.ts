import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ReadBufferPool } from "../../../src/dataplane/read-buffers.ts";
import { ReusedBufferReader } from "../../../src/dataplane/socket-reader.ts";

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
