import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Cancel } from "../../../src/base/clock.ts";
import { followFiles } from "../../../src/trust/follow-files.ts";
import { FakeClock } from "../../support/fake-clock.ts";

let dir: string;
let clock: FakeClock;
let stop: Cancel = () => {};
let changes: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "follow-"));
  clock = new FakeClock();
  changes = 0;
});

afterEach(() => {
  stop();
  rmSync(dir, { recursive: true });
});

async function follow(...names: string[]): Promise<void> {
  const onChange = async () => {
    changes += 1;
  };
  stop = await followFiles({ paths: names.map((name) => join(dir, name)), clock, onChange });
}

/** Let the next look happen, and wait until the one after it is planned. */
async function look(): Promise<number> {
  const planned = clock.nextTimer();
  clock.advance(1_000);
  await planned;
  return changes;
}

test("a file that appears, changes, is replaced or goes is a change, and nothing else is", async () => {
  await follow("ca.pem");
  expect(await look()).toBe(0);
  writeFileSync(join(dir, "ca.pem"), "1");
  expect(await look()).toBe(1);
  expect(await look()).toBe(1);
  writeFileSync(join(dir, "ca.pem"), "22");
  expect(await look()).toBe(2);
  writeFileSync(join(dir, "new"), "33");
  renameSync(join(dir, "new"), join(dir, "ca.pem"));
  expect(await look()).toBe(3);
  rmSync(join(dir, "ca.pem"));
  expect(await look()).toBe(4);
  writeFileSync(join(dir, "other"), "x");
  expect(await look()).toBe(4);
});

test("a folder changes with its files", async () => {
  mkdirSync(join(dir, "in"));
  await follow("in");
  writeFileSync(join(dir, "in/a.pem"), "1");
  expect(await look()).toBe(1);
  writeFileSync(join(dir, "in/b.pem"), "1");
  expect(await look()).toBe(2);
});

test("a link that points elsewhere is a change of what lies behind it", async () => {
  for (const version of ["v1", "v2"]) {
    mkdirSync(join(dir, version));
    writeFileSync(join(dir, version, "ca.crt"), "the same");
  }
  symlinkSync("v1", join(dir, "..data"));
  symlinkSync("..data/ca.crt", join(dir, "ca.crt"));
  await follow("ca.crt");
  expect(await look()).toBe(0);
  symlinkSync("v2", join(dir, "..new"));
  renameSync(join(dir, "..new"), join(dir, "..data"));
  expect(await look()).toBe(1);
});

test("nothing is looked at after the stop", async () => {
  await follow("ca.pem");
  stop();
  writeFileSync(join(dir, "ca.pem"), "1");
  clock.advance(10_000);
  expect(clock.delaysMs).toEqual([]);
  expect(changes).toBe(0);
});
