import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeIfChanged } from "../../../src/trust/atomic-file.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "atomic-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

const write = (name: string, content = "new") =>
  writeIfChanged({ path: join(dir, name), mode: 0o644 }, Buffer.from(content));

test.each([
  ["to a file that is not there yet", "target.pem"],
  ["of an absolute path", "ABSOLUTE"],
  ["through another link", "middle"],
])("a link %s stays one", async (_what, target) => {
  mkdirSync(join(dir, "certs"));
  symlinkSync("target.pem", join(dir, "certs/middle"));
  symlinkSync(target === "ABSOLUTE" ? join(dir, "certs/target.pem") : target, join(dir, "certs/link.pem"));
  expect(await write("certs/link.pem")).toBe(true);
  expect(lstatSync(join(dir, "certs/link.pem")).isSymbolicLink()).toBe(true);
  expect(lstatSync(join(dir, "certs/middle")).isSymbolicLink()).toBe(true);
  expect(readFileSync(join(dir, "certs/target.pem"), "utf8")).toBe("new");
  expect(await write("certs/link.pem")).toBe(false);
});

test("a link to itself is an error", async () => {
  symlinkSync("loop", join(dir, "loop"));
  await expect(write("loop")).rejects.toMatchObject({ code: "ELOOP" });
  expect(readdirSync(dir)).toEqual(["loop"]);
});

test("what is no file is never replaced, and nothing is left behind", async () => {
  execFileSync("mkfifo", [join(dir, "pipe")]);
  mkdirSync(join(dir, "folder"));
  await expect(write("pipe")).rejects.toThrow("not a regular file");
  await expect(write("folder")).rejects.toThrow("not a regular file");
  expect(lstatSync(join(dir, "pipe")).isFIFO()).toBe(true);
  expect(readdirSync(dir).sort()).toEqual(["folder", "pipe"]);
});

test("where nothing can be written it says so", async () => {
  await expect(writeIfChanged({ path: "/proc/self/ca.pem", mode: 0o644 }, Buffer.from("x"))).rejects.toMatchObject({
    syscall: "open",
  });
  expect(existsSync("/proc/self/ca.pem")).toBe(false);
});
