import { describe, expect, test } from "vitest";
import { HpackDecoder } from "../../../src/http2/hpack-decoder.ts";
import { field, plain } from "../../support/hpack-lists.ts";

// The examples of RFC 7541 appendix C. A pair is a name and its value.
type Pair = readonly [name: string, value: string];

interface Step {
  readonly hex: string;
  readonly list: readonly Pair[];
  /** The dynamic table afterwards, newest first. */
  readonly table: readonly Pair[];
}

const authority: Pair = [":authority", "www.example.com"];
const custom: Pair = ["custom-key", "custom-value"];
const noCache: Pair = ["cache-control", "no-cache"];
const location: Pair = ["location", "https://www.example.com"];
const isPrivate: Pair = ["cache-control", "private"];
const date21: Pair = ["date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const date22: Pair = ["date", "Mon, 21 Oct 2013 20:13:22 GMT"];
const gzip: Pair = ["content-encoding", "gzip"];
const cookie: Pair = ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"];
const get: Pair = [":method", "GET"];

const REQUESTS: readonly Omit<Step, "hex">[] = [
  { list: [get, [":scheme", "http"], [":path", "/"], authority], table: [authority] },
  { list: [get, [":scheme", "http"], [":path", "/"], authority, noCache], table: [noCache, authority] },
  {
    list: [get, [":scheme", "https"], [":path", "/index.html"], authority, custom],
    table: [custom, noCache, authority],
  },
];

const RESPONSES: readonly Omit<Step, "hex">[] = [
  {
    list: [[":status", "302"], isPrivate, date21, location],
    table: [location, date21, isPrivate, [":status", "302"]],
  },
  {
    list: [[":status", "307"], isPrivate, date21, location],
    table: [[":status", "307"], location, date21, isPrivate],
  },
  {
    list: [[":status", "200"], isPrivate, date22, location, gzip, cookie],
    table: [cookie, gzip, date22],
  },
];

const EXAMPLES: readonly { name: string; tableBytes: number; steps: readonly Step[] }[] = [
  {
    name: "C.2.1 a literal that is indexed",
    tableBytes: 4_096,
    steps: [
      {
        hex: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        list: [["custom-key", "custom-header"]],
        table: [["custom-key", "custom-header"]],
      },
    ],
  },
  {
    name: "C.2.2 a literal that is not indexed",
    tableBytes: 4_096,
    steps: [{ hex: "040c 2f73 616d 706c 652f 7061 7468", list: [[":path", "/sample/path"]], table: [] }],
  },
  { name: "C.2.4 an indexed field", tableBytes: 4_096, steps: [{ hex: "82", list: [get], table: [] }] },
  {
    name: "C.3 requests without Huffman coding",
    tableBytes: 4_096,
    steps: steps(REQUESTS, [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]),
  },
  {
    name: "C.4 requests with Huffman coding",
    tableBytes: 4_096,
    steps: steps(REQUESTS, [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ]),
  },
  {
    name: "C.5 responses without Huffman coding, with evictions",
    tableBytes: 256,
    steps: steps(RESPONSES, [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      "4803 3330 37c1 c0bf",
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
       54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
       5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ]),
  },
  {
    name: "C.6 responses with Huffman coding, with evictions",
    tableBytes: 256,
    steps: steps(RESPONSES, [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
       2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      "4883 640e ffc1 c0bf",
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
       77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
       9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
    ]),
  },
];

describe("RFC 7541 appendix C", () => {
  test.each(EXAMPLES)("$name", ({ tableBytes, steps }) => {
    // The examples take their table's size as agreed; a peer says it in its first block.
    const blocks = steps.map(({ hex }) => bytes(hex));
    blocks[0] = Buffer.concat([tableSize(tableBytes), blocks[0]!]);
    const decoder = new HpackDecoder({ maxListBytes: 4_096 });
    steps.forEach(({ list, table }, at) => {
      expect(decoder.decode(blocks[at]!)).toEqual({ t: "ok", fields: fields(list) });
      expect(tableAfter(blocks.slice(0, at + 1))).toEqual(fields(table));
    });
  });

  test("C.2.3 a literal that must never be indexed", () => {
    const block = bytes("1008 7061 7373 776f 7264 0673 6563 7265 74");
    const decoder = new HpackDecoder({ maxListBytes: 4_096 });
    expect(decoder.decode(block)).toEqual({ t: "ok", fields: [field("password", "secret", true)] });
    expect(tableAfter([block])).toEqual([]);
  });

  test.each([
    { name: "C.1.1 10 in a 5-bit prefix", announced: 10, hex: "2a", oneMore: "2b" },
    { name: "C.1.2 1337 in a 5-bit prefix", announced: 1_337, hex: "3f9a0a", oneMore: "3f9b0a" },
    {
      name: "C.1.3 42, here in the 5-bit prefix that HPACK has for a size",
      announced: 42,
      hex: "3f0b",
      oneMore: "3f0c",
    },
  ])("$name", ({ announced, hex, oneMore }) => {
    const decoder = () => new HpackDecoder({ maxTableBytes: announced, maxListBytes: 4_096 });
    // The first size makes what we announced the limit, so that a size tells its value by being taken or refused.
    expect(decoder().decode(bytes(`20 ${hex} 82`))).toEqual({ t: "ok", fields: [field(":method", "GET")] });
    expect(() => decoder().decode(bytes(`20 ${oneMore} 82`))).toThrow(`table size ${announced + 1}`);
  });
});

function steps(lists: readonly Omit<Step, "hex">[], hexes: readonly string[]): Step[] {
  return lists.map((step, at) => ({ ...step, hex: hexes[at]! }));
}

/** What a peer's indexes from 62 on mean after these blocks. */
function tableAfter(blocks: readonly Buffer[]): ReturnType<typeof field>[] {
  const decoder = new HpackDecoder({ maxListBytes: 4_096 });
  for (const block of blocks) decoder.decode(block);
  const table: ReturnType<typeof field>[] = [];
  for (let index = 62; ; index++) {
    try {
      const decoded = decoder.decode(Buffer.of(0x80 | index));
      if (decoded.t === "ok") table.push(...plain(decoded.fields));
    } catch {
      return table;
    }
  }
}

function tableSize(size: number): Buffer {
  if (size === 4_096) return bytes("3fe11f");
  return bytes("3fe101");
}

function fields(pairs: readonly Pair[]): ReturnType<typeof field>[] {
  return pairs.map(([name, value]) => field(name, value));
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
}
