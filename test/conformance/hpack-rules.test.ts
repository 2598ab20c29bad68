import { describe, expect, test } from "vitest";
import { Code } from "../support/raw-http2/error-code.ts";
import { headersFrame } from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK, RESPONSE_FIELDS, requestBlock, requestFields } from "../support/raw-http2/grpc-fields.ts";
import type { Field } from "../support/raw-http2/hpack-encoder.ts";
import { readHeaders } from "../support/raw-http2/raw-message.ts";
import { SIDES, TwoSides } from "../support/two-sides.ts";

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex");

/** Strings of RFC 7541 appendix C, as octets and Huffman-coded: a name and two values, with their lengths in front. */
const NAME = "0a 637573746f6d2d6b6579";
const NAME_HUFFMAN = "88 25a849e95ba97d7f";
const VALUE = "0c 637573746f6d2d76616c7565";
const VALUE_HUFFMAN = "89 25a849e95bb8e8b4bf";
const CUSTOM: Field = ["custom-key", "custom-value"];
/** The name that has index 58 in the static table (appendix A). */
const AGENT: Field = ["user-agent", "custom-value"];

/** Section of RFC 7541, what is represented, its octets in front of the other fields and behind them, and what it means. */
type Representation = [section: string, what: string, front: string, behind: string, fields: Field[]];

const REPRESENTATIONS: readonly Representation[] = [
  ["§6.1", "an indexed field", "", "90", [["accept-encoding", "gzip, deflate"]]],
  ["§2.3.3", "an indexed field of the dynamic table", "", `40 ${NAME} ${VALUE} be`, [CUSTOM, CUSTOM]],
  ["§2.3.3", "a name of the dynamic table", "", `40 ${NAME} ${VALUE} 0f2f 00`, [CUSTOM, ["custom-key", ""]]],
  ["§6.2.1", "a literal to be indexed, its name indexed", "", `7a ${VALUE}`, [AGENT]],
  ["§6.2.1", "a literal to be indexed, its name indexed, Huffman-coded", "", `7a ${VALUE_HUFFMAN}`, [AGENT]],
  ["§6.2.1", "a literal to be indexed, its name new", "", `40 ${NAME} ${VALUE}`, [CUSTOM]],
  [
    "§6.2.1",
    "a literal to be indexed, its name new, Huffman-coded",
    "",
    `40 ${NAME_HUFFMAN} ${VALUE_HUFFMAN}`,
    [CUSTOM],
  ],
  ["§6.2.2", "a literal not to be indexed, its name indexed", "", `0f2b ${VALUE}`, [AGENT]],
  ["§6.2.2", "a literal not to be indexed, its name indexed, Huffman-coded", "", `0f2b ${VALUE_HUFFMAN}`, [AGENT]],
  ["§6.2.2", "a literal not to be indexed, its name new", "", `00 ${NAME} ${VALUE}`, [CUSTOM]],
  [
    "§6.2.2",
    "a literal not to be indexed, its name new, Huffman-coded",
    "",
    `00 ${NAME_HUFFMAN} ${VALUE_HUFFMAN}`,
    [CUSTOM],
  ],
  ["§6.2.3", "a literal never to be indexed, its name indexed", "", `1f2b ${VALUE}`, [AGENT]],
  ["§6.2.3", "a literal never to be indexed, its name indexed, Huffman-coded", "", `1f2b ${VALUE_HUFFMAN}`, [AGENT]],
  ["§6.2.3", "a literal never to be indexed, its name new", "", `10 ${NAME} ${VALUE}`, [CUSTOM]],
  [
    "§6.2.3",
    "a literal never to be indexed, its name new, Huffman-coded",
    "",
    `10 ${NAME_HUFFMAN} ${VALUE_HUFFMAN}`,
    [CUSTOM],
  ],
  ["§6.3", "a change of the table's size", "20", "", []],
  ["§6.3", "a change of the table's size to all that it may be", "3fe11f", "", []],
  ["§4.2", "two changes of the table's size", "20 3fe11f", `40 ${NAME} ${VALUE} be`, [CUSTOM, CUSTOM]],
  ["§5.1", "an integer with more octets than it needs", "", `0f ab8000 ${VALUE}`, [AGENT]],
  [
    "§5.1",
    "a length of several octets",
    "",
    `00 ${NAME} 7fad01 ${"61".repeat(300)}`,
    [["custom-key", "a".repeat(300)]],
  ],
  [
    "§5.2",
    "empty strings",
    "",
    "0f2b 00 0f2b 80",
    [
      ["user-agent", ""],
      ["user-agent", ""],
    ],
  ],
  ["§4.4", "an entry larger than the table", "3f01", `40 ${NAME} ${VALUE}`, [CUSTOM]],
];

/** Section of RFC 7541, what is wrong, and its octets in front of the other fields and behind them. */
type Malformed = [section: string, what: string, front: string, behind: string];

const MALFORMED: readonly Malformed[] = [
  ["§2.3.3", "an index beyond both tables", "", "be"],
  ["§2.3.3", "an index far beyond both tables", "", "ff 8001"],
  ["§2.3.3", "a name's index beyond both tables, to be indexed", "", `7f00 ${VALUE}`],
  ["§2.3.3", "a name's index beyond both tables, not to be indexed", "", `0f37 ${VALUE}`],
  ["§2.3.3", "a name's index beyond both tables, never to be indexed", "", `1f37 ${VALUE}`],
  ["§4.2", "a change of the table's size behind a field", "", "20"],
  ["§4.2", "a change of the table's size between fields", "", `40 ${NAME} ${VALUE} 3fe11f be`],
  ["§4.3", "the index of what a change of size has thrown out", "20", `40 ${NAME} ${VALUE} be`],
  ["§4.4", "the index of an entry larger than the table", "3f01", `40 ${NAME} ${VALUE} be`],
  ["§5.1", "an integer beyond all bounds", "", "ff ffffffffffffffffffff7f"],
  ["§5.1", "an integer that does not end", "", "ff 80"],
  ["§5.2", "a string longer than its block", "", "00 0a 6375"],
  ["§5.2", "a Huffman-coded string longer than its block", "", "00 88 25a8"],
  ["§5.2", "no value", "", `00 ${NAME}`],
  // "h2" is 100111 00010, after which 11111 would do; "a" is 00011, after which 111 would.
  ["§5.2", "Huffman padding of more than 7 bits", "", `00 ${NAME} 83 9c5fff`],
  ["§5.2", "Huffman padding of zeros", "", `00 ${NAME} 81 18`],
  ["§5.2", "EOS in a Huffman-coded string", "", `00 ${NAME} 84 fffffffc`],
  ["§6.1", "index 0", "", "80"],
  ["§6.3", "a table larger than was announced", "3fe21f", ""],
];

describe.each(SIDES)("in a field block of a %s's", (side) => {
  const beginning = side === "client" ? requestBlock() : RESPONSE_BLOCK;
  const beginningFields = side === "client" ? requestFields() : RESPONSE_FIELDS;
  const id = side === "client" ? 7 : 5;
  const headers = (front: string, behind: string): Buffer =>
    headersFrame(id, Buffer.concat([hex(front), beginning, hex(behind)]));

  test.each<Representation>([...REPRESENTATIONS])("%s: %s is read", async (_section, _what, front, behind, fields) => {
    const sides = await TwoSides.meet(side);
    sides.sender.send(headers(front, behind));
    expect(await readHeaders(sides.other, id)).toEqual([...beginningFields, ...fields]);
  });

  test.each<Malformed>([...MALFORMED])(
    "%s: %s ends the connection with COMPRESSION_ERROR",
    async (_section, _what, front, behind) => {
      const sides = await TwoSides.meet(side);
      sides.sender.send(headers(front, behind));
      await sides.expectConnectionError(Code.COMPRESSION_ERROR);
    },
  );
});
