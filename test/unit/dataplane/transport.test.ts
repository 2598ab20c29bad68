import { Duplex } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { FrameWriter } from "../../../src/dataplane/frame-writer.ts";
import { ReadBufferPool } from "../../../src/dataplane/read-buffers.ts";
import { Transport } from "../../../src/dataplane/transport.ts";
import { TurnFlusher } from "../../../src/dataplane/turn-flusher.ts";
import { FrameReader } from "../../support/raw-http2/frame-reader.ts";
import { FrameType } from "../../support/raw-http2/frames.ts";

/** A peer that keeps what it is written, one chunk for each system call, and says that it has it when told. */
class SlowPeer extends Duplex {
  readonly writes: Buffer[] = [];
  #pending: (() => void)[] = [];

  override _read(): void {}

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    this.#pending.push(done);
  }

  /** Everything given so far has left. */
  complete(): void {
    for (const done of this.#pending.splice(0)) done();
  }

  get text(): string {
    return Buffer.concat(this.writes).toString("latin1");
  }
}

function newTransport() {
  const peer = new SlowPeer();
  return { peer, transport: new Transport(peer, new TurnFlusher()) };
}

function small(transport: Transport, text: string): void {
  const at = transport.reserve(text.length);
  transport.scratch.write(text, at, "latin1");
}

describe("what is written in one turn", () => {
  test("leaves at its end, together and in order", async () => {
    const { peer, transport } = newTransport();
    small(transport, "a");
    transport.write(Buffer.from("b"));
    transport.write(Buffer.alloc(2_000, "c"));
    small(transport, "d");
    transport.write(Buffer.alloc(2_000, "e"));
    expect(peer.writes).toHaveLength(0);
    expect(transport.backlogBytes).toBe(4_003);
    await turn();
    expect(peer.writes).toHaveLength(1);
    expect(peer.text).toBe(`ab${"c".repeat(2_000)}d${"e".repeat(2_000)}`);
  });

  test("leaves before that where it is much", () => {
    const { peer, transport } = newTransport();
    transport.write(Buffer.alloc(400_000));
    expect(peer.writes).toHaveLength(0);
    transport.write(Buffer.alloc(400_000));
    expect(peer.writes).toHaveLength(1);
  });

  test("is overtaken by what is urgent", async () => {
    const { peer, transport } = newTransport();
    transport.write(Buffer.alloc(1_500, "x"));
    small(transport, "y");
    transport.writeUrgent(Buffer.from("!"));
    await turn();
    expect(peer.text).toBe(`!${"x".repeat(1_500)}y`);
  });

  test("keeps its octets though the next turn writes small frames too", async () => {
    const { peer, transport } = newTransport();
    const expected: string[] = [];
    for (let round = 0; round < 200; round++) {
      const text = `${round};`.repeat(50);
      expected.push(text);
      small(transport, text);
      if (round % 7 === 0) await turn();
      if (round % 31 === 0) peer.complete();
    }
    await turn();
    peer.complete();
    await turn();
    expect(peer.text).toBe(expected.join(""));
  });
});

describe("the backlog", () => {
  test("counts what has not left, and drains once it has", async () => {
    const { peer, transport } = newTransport();
    let drained = 0;
    transport.write(Buffer.alloc(5_000));
    transport.onceDrained(() => drained++);
    transport.onceDrained(() => drained++);
    await turn();
    expect([transport.backlogBytes, drained]).toEqual([5_000, 0]);
    peer.complete();
    await turn();
    expect([transport.backlogBytes, drained]).toEqual([0, 2]);
    transport.write(Buffer.alloc(100));
    await turn();
    peer.complete();
    await turn();
    expect(drained).toBe(2);
  });

  test("holds a read buffer's lease until its bytes have left", async () => {
    const { peer, transport } = newTransport();
    const lease = new ReadBufferPool().take(true);
    transport.write(lease.bytes.subarray(0, 5_000), lease);
    await turn();
    expect(lease.isUnshared).toBe(false);
    peer.complete();
    await turn();
    expect(lease.isUnshared).toBe(true);
  });

  test("lets go of leases when the peer has gone", async () => {
    const { peer, transport } = newTransport();
    const lease = new ReadBufferPool().take(true);
    peer.destroy();
    transport.write(lease.bytes.subarray(0, 5_000), lease);
    await turn();
    expect(lease.isUnshared).toBe(true);
    expect(transport.backlogBytes).toBe(0);
  });
});

describe("the end", () => {
  test("is told once, with the error where there was one", async () => {
    const { peer, transport } = newTransport();
    const ends: unknown[] = [];
    transport.start(
      () => {},
      ({ error }) => ends.push(error),
    );
    const failure = new Error("broken");
    peer.destroy(failure);
    await turn();
    expect(ends).toEqual([failure]);
  });

  test("of a peer that just closes has no error", async () => {
    const { peer, transport } = newTransport();
    const ends: unknown[] = [];
    transport.start(
      () => {},
      ({ error }) => ends.push(error),
    );
    peer.push(null);
    await turn();
    expect(ends).toEqual([undefined]);
  });

  test("is told of a peer that had gone before, too", async () => {
    const { peer, transport } = newTransport();
    peer.destroy();
    await turn();
    const ends: unknown[] = [];
    transport.start(
      () => {},
      ({ error }) => ends.push(error),
    );
    await turn();
    expect(ends).toEqual([undefined]);
  });

  test("writes what is collected first", async () => {
    const { peer, transport } = newTransport();
    transport.write(Buffer.from("goodbye"));
    transport.end();
    peer.complete();
    await turn();
    expect(peer.text).toBe("goodbye");
    expect(peer.writableFinished).toBe(true);
  });
});

test("a stream that whoever had it before has paused is read", async () => {
  const { peer, transport } = newTransport();
  peer.pause();
  const read: string[] = [];
  transport.start(
    (bytes, start, end) => void read.push(bytes.toString("latin1", start, end)),
    () => {},
  );
  peer.push(Buffer.from("hello"));
  await turn();
  expect(read).toEqual(["hello"]);
});

describe("frames of one header block", () => {
  test("are not separated by the answer to a PING, however much was written before", async () => {
    for (const before of [0, 100_000, 500_000, 530_000]) {
      const { peer, transport } = newTransport();
      const writer = new FrameWriter(transport);
      writer.data(3, Buffer.alloc(before), false);
      writer.headers(1, [{ name: "x", value: "~".repeat(600_000), isSensitive: false }], true, 16_384);
      writer.pingAck(Buffer.from("urgent!!"));
      while (transport.backlogBytes > 0) {
        await turn();
        peer.complete();
      }
      const types: number[] = [];
      const reader = new FrameReader({ wantsPayload: () => false, frame: (type) => void types.push(type) });
      reader.push(Buffer.concat(peer.writes));
      const first = types.indexOf(FrameType.HEADERS);
      const last = types.lastIndexOf(FrameType.CONTINUATION);
      expect(last - first).toBeGreaterThan(30);
      expect(new Set(types.slice(first + 1, last + 1))).toEqual(new Set([FrameType.CONTINUATION]));
      expect(types).toContain(FrameType.PING);
    }
  });
});
