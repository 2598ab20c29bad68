import { expect, test } from "vitest";
import { printable } from "../../../src/base/printable.ts";

test("text that can be shown stays as it is", () => {
  for (const text of ["", "running on buildkit-1 (warm: github.com/acme/app)", "größer · 構築 · 🚀"]) {
    expect(printable(text, 100)).toBe(text);
  }
});

test("what a terminal acts on, what breaks a line and what cannot be seen becomes a question mark", () => {
  expect(printable("a\u001b[31mb\u0007\r\n\tc\u0000\u007f\u009b", 100)).toBe("a?[31mb????c???");
  expect(printable("a\u2028\u2029\u202e\u200b\ufeff", 100)).toBe("a?????");
});

test("long text is cut, and half a character is none", () => {
  expect(printable("x".repeat(11), 10)).toBe(`${"x".repeat(9)}…`);
  expect(printable("x".repeat(10), 10)).toBe("x".repeat(10));
  expect(printable(`${"x".repeat(8)}🚀🚀`, 10)).toBe(`${"x".repeat(8)}?…`);
});
