import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readBounded, readBoundedNow } from "../../../src/base/bounded-file.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bounded-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

test("a file up to the bound is read, and one byte more is not", async () => {
  const file = join(dir, "file");
  writeFileSync(file, "12345");
  expect(await readBounded(file, 5)).toEqual({ t: "read", bytes: Buffer.from("12345") });
  expect(await readBounded(file, 4)).toEqual({ t: "unreadable", reason: "5 bytes, more than 4" });
});

test("what is no file is told apart from what is not there", async () => {
  expect(await readBounded(join(dir, "none"))).toEqual({ t: "absent" });
  expect(await readBounded(dir)).toEqual({ t: "unreadable", reason: "illegal operation on a directory" });
  expect(await readBounded(join(dir, "none", "file"))).toEqual({ t: "absent" });
  expect(await readBounded("/dev/zero")).toEqual({ t: "unreadable", reason: "not a regular file" });
});

test("a pipe that nobody writes to does not hold it up", async () => {
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  expect(await readBounded(pipe)).toEqual({ t: "unreadable", reason: "not a regular file" });
});

test("at once, too: a file up to the bound, and nothing that might never end", () => {
  const file = join(dir, "file");
  writeFileSync(file, "12345");
  expect(readBoundedNow(file, 5).toString()).toBe("12345");
  expect(() => readBoundedNow(file, 4)).toThrow("5 bytes, more than 4");
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  expect(() => readBoundedNow(pipe)).toThrow("not a regular file");
  expect(() => readBoundedNow("/dev/zero")).toThrow("not a regular file");
  expect(() => readBoundedNow(join(dir, "none"))).toThrow("ENOENT");
});
