import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../src/http2/frame-reader.ts";
import { dataFrame, encodeFrame, encodeFrameHeader, Flag, FrameType } from "../../support/raw-http2/frames.ts";

/** What a reader finds, DATA frames put together again. */
class Found {
  readonly frames: string[] = [];
  readonly reader: FrameReader;
  #body = "";
  /** Whether the nine octets before a piece may be written over, for each piece. */
  readonly roomBefore: boolean[] = [];

  constructor() {
    this.reader = new FrameReader({
      data: (streamId, bytes, start, end, isEndOfStream, overheadBytes, isEndOfFrame) => {
        this.roomBefore.push(start >= 9);
        this.#body += bytes.toString("latin1", start, end);
        // As the switch does: the header in front is written over.
        if (start >= 9) bytes.fill(0xee, start - 9, start);
        if (!isEndOfFrame) return;
        this.frames.push(`DATA ${streamId} ${this.#body} +${overheadBytes}${isEndOfStream ? " end" : ""}`);
        this.#body = "";
      },
      frame: (type, flags, streamId, payload) => {
        this.frames.push(`${type} ${flags} ${streamId} ${payload.toString("latin1")}`);
      },
    });
  }

  /** Read copies, each at an offset of its own memory, as sockets deliver them. */
  push(...parts: readonly Buffer[]): this {
    for (const part of parts) {
      const memory = Buffer.alloc(9 + part.length + 3, 0xcc);
      part.copy(memory, 9);
      this.reader.push(memory, 9, 9 + part.length);
    }
    return this;
  }
}

const FRAMES = Buffer.concat([
  encodeFrame(FrameType.SETTINGS, 0, 0, Buffer.from("123456")),
  dataFrame(1, Buffer.from("hello")),
  dataFrame(3, Buffer.alloc(0)),
  dataFrame(5, Buffer.from("padded"), false, 4),
  dataFrame(7, Buffer.alloc(0), true, 0),
  encodeFrame(FrameType.HEADERS, Flag.END_HEADERS, 9, Buffer.from("block")),
  encodeFrame(FrameType.PING, 0, 0x8000_0000, Buffer.from("opaque!!")),
  dataFrame(11, Buffer.from("last"), true),
]);

const READ = [
  "4 0 0 123456",
  "DATA 1 hello +0",
  "DATA 3  +0",
  "DATA 5 padded +5",
  "DATA 7  +1 end",
  "1 4 9 block",
  "6 0 0 opaque!!",
  "DATA 11 last +0 end",
];

describe("frames are found", () => {
  test("in one read", () => {
    expect(new Found().push(FRAMES).frames).toEqual(READ);
  });

  test("cut in two at any octet", () => {
    for (let cut = 0; cut <= FRAMES.length; cut++) {
      const found = new Found().push(FRAMES.subarray(0, cut), FRAMES.subarray(cut));
      expect(found.frames, `cut at ${cut}`).toEqual(READ);
      expect(found.reader.isAtFrameBoundary).toBe(true);
    }
  });

  test("cut in three at any two octets", () => {
    for (let first = 0; first < FRAMES.length; first += 3) {
      for (let second = first; second < FRAMES.length; second += 2) {
        const found = new Found().push(
          FRAMES.subarray(0, first),
          FRAMES.subarray(first, second),
          FRAMES.subarray(second),
        );
        expect(found.frames, `cut at ${first} and ${second}`).toEqual(READ);
      }
    }
  });

  test("octet by octet", () => {
    expect(new Found().push(...[...FRAMES].map((octet) => Buffer.of(octet))).frames).toEqual(READ);
  });

  test("without waiting for the rest of a DATA frame", () => {
    const pieces: string[] = [];
    const reader = new FrameReader({
      data: (_id, bytes, start, end, isEndOfStream) =>
        void pieces.push(`${bytes.subarray(start, end)}${isEndOfStream ? "." : ""}`),
      frame: () => {},
    });
    const frame = dataFrame(1, Buffer.from("abcdef"), true);
    for (const [start, end] of [
      [0, 11],
      [11, 12],
      [12, 15],
    ] as const)
      reader.push(Buffer.from(frame), start, end);
    expect(pieces).toEqual(["ab", "c", "def."]);
    expect(reader.isAtFrameBoundary).toBe(true);
  });

  test("with room for a header in front of every DATA frame that begins inside a read", () => {
    expect(
      new Found().push(Buffer.concat([dataFrame(1, Buffer.from("a")), dataFrame(1, Buffer.from("b"))])).roomBefore,
    ).toEqual([true, true]);
  });
});

describe("a frame that breaks a rule of length is refused", () => {
  const errorOf = (bytes: Buffer) => {
    try {
      new Found().push(bytes);
      return undefined;
    } catch (error) {
      return (error as { code: number }).code;
    }
  };

  test("one over 16,384 octets, by its header alone", () => {
    for (const type of [FrameType.DATA, FrameType.HEADERS, FrameType.SETTINGS, 0xee]) {
      expect(errorOf(encodeFrameHeader(16_385, type, 0, 1))).toBe(0x6);
      expect(errorOf(encodeFrameHeader(16_384, type, 0, 1))).toBeUndefined();
    }
    expect(errorOf(encodeFrameHeader(0xff_ffff, FrameType.DATA, Flag.PADDED, 1))).toBe(0x6);
  });

  test("one whose header is cut, as soon as that is whole", () => {
    const header = encodeFrameHeader(20_000, FrameType.DATA, 0, 1);
    expect(() => new Found().push(header.subarray(0, 5), header.subarray(5))).toThrow(/20000 bytes/);
  });

  test("padding that does not fit its frame", () => {
    expect(errorOf(encodeFrame(FrameType.DATA, Flag.PADDED, 1, Buffer.of(1)))).toBe(0x1);
    expect(errorOf(encodeFrame(FrameType.DATA, Flag.PADDED, 1, Buffer.of(3, 0, 0)))).toBe(0x1);
    expect(errorOf(encodeFrame(FrameType.DATA, Flag.PADDED, 1, Buffer.of(2, 0, 0)))).toBeUndefined();
    expect(errorOf(encodeFrame(FrameType.DATA, Flag.PADDED, 1))).toBe(0x6);
  });
});
