import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readCollectorHeaders } from "../../../src/traces/collector-headers.ts";

function headersFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "collector-headers-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "headers");
  writeFileSync(path, text);
  return path;
}

test("each line is a header", async () => {
  const path = headersFile("# of the collector\n\nAuthorization: Bearer a:b=c\r\nx-scope-orgid:\t ci \n");
  expect(await readCollectorHeaders(path)).toEqual({ authorization: "Bearer a:b=c", "x-scope-orgid": "ci" });
});

test("what has changed is read at the next use", async () => {
  const path = headersFile("x-token: one\n");
  expect(await readCollectorHeaders(path)).toEqual({ "x-token": "one" });
  writeFileSync(path, "x-token: two\n");
  expect(await readCollectorHeaders(path)).toEqual({ "x-token": "two" });
});

test.each([
  ["no colon", "Bearer-secret"],
  ["a name with a space", "my token: secret"],
  ["a character that no header carries", "x-token: sécret\u0001"],
])("%s is an error that says the line and not what it holds", async (_what, line) => {
  const path = headersFile(`x-first: 1\n${line}\n`);
  const failure = await readCollectorHeaders(path).catch((reason: Error) => reason.message);
  expect(failure).toBe(`traces.headersFile: line 2 of ${path} is not "name: value"`);
});

test("too many headers, too large a file and no file are errors that name the setting", async () => {
  const many = headersFile(Array.from({ length: 33 }, (_, index) => `x-${index}: 1`).join("\n"));
  await expect(readCollectorHeaders(many)).rejects.toThrow(/^traces.headersFile: 33 headers in .*, more than 32$/);
  await expect(readCollectorHeaders(headersFile("x".repeat(16_385)))).rejects.toThrow("traces.headersFile");
  await expect(readCollectorHeaders("/nonexistent")).rejects.toThrow("traces.headersFile");
});
