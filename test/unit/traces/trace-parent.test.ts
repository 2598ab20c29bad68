import { expect, test } from "vitest";
import { readTraceParent, writeTraceParent } from "../../../src/traces/trace-parent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const PARENT = { traceId: TRACE, spanId: SPAN, isSampled: true, isRandom: false };

test.each([
  [`00-${TRACE}-${SPAN}-01`, PARENT],
  [`00-${TRACE}-${SPAN}-00`, { ...PARENT, isSampled: false }],
  [`00-${TRACE}-${SPAN}-03`, { ...PARENT, isRandom: true }],
  // Flags that mean nothing yet are not looked at.
  [`00-${TRACE}-${SPAN}-f9`, PARENT],
  // A later version may have more behind a dash.
  [`01-${TRACE}-${SPAN}-01`, PARENT],
  [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be`, PARENT],
])("%s is read", (header, expected) => {
  expect(readTraceParent([header])).toEqual(expected);
});

test.each([
  ["nothing", ""],
  ["a version that is none", `ff-${TRACE}-${SPAN}-01`],
  ["a version of one digit", `0-${TRACE}-${SPAN}-01`],
  ["more than version 00 has", `00-${TRACE}-${SPAN}-01-more`],
  ["a dash behind it", `00-${TRACE}-${SPAN}-01-`],
  ["more of a later version without a dash", `01-${TRACE}-${SPAN}-01more`],
  ["a trace of zeroes", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span of zeroes", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["capital letters", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["a short trace", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["a long span", `00-${TRACE}-${SPAN}0-01`],
  ["no flags", `00-${TRACE}-${SPAN}`],
  ["flags of one digit", `00-${TRACE}-${SPAN}-1`],
  ["what is not hexadecimal", `00-${TRACE}-${SPAN}-0x`],
  ["spaces", ` 00-${TRACE}-${SPAN}-01`],
  ["a line break at the end", `00-${TRACE}-${SPAN}-01\n`],
  ["two in one", `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`],
  ["more than anybody reads", `01-${TRACE}-${SPAN}-01-${"x".repeat(1_000_000)}`],
])("%s is no parent", (_what, header) => {
  expect(readTraceParent([header])).toBeUndefined();
});

test("none and two are no parent", () => {
  expect(readTraceParent([])).toBeUndefined();
  expect(readTraceParent([`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`])).toBeUndefined();
});

test("what is written is read again", () => {
  for (const isSampled of [true, false]) {
    for (const isRandom of [true, false]) {
      const parent = { ...PARENT, isSampled, isRandom };
      expect(readTraceParent([writeTraceParent(parent)])).toEqual(parent);
    }
  }
});
