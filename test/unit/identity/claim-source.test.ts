import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { readClaim } from "../../../src/identity/claim.ts";
import { ClaimSource } from "../../../src/identity/claim-source.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "bkg-claim-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test("without a file a sidecar says what it was told", () => {
  const source = new ClaimSource({ claim: { pod: "runner-1" }, path: undefined, log: silentLog() });
  expect(source.text()).toBe("pod=runner-1");
});

test("a file that comes later, changes and goes is followed", () => {
  const path = join(folder(), "job");
  const source = new ClaimSource({ claim: { pod: "runner-1", job: "told" }, path, log: silentLog() });
  expect(readClaim(source.text())).toEqual({ pod: "runner-1", job: "told" });
  writeFileSync(path, "GITHUB_REPOSITORY=acme/app\nGITHUB_JOB=build\n");
  expect(readClaim(source.text())).toEqual({ pod: "runner-1", job: "build", repository: "github.com/acme/app" });
  writeFileSync(path, "GITHUB_REPOSITORY=acme/other\n");
  expect(readClaim(source.text())).toEqual({ pod: "runner-1", job: "told", repository: "github.com/acme/other" });
  rmSync(path);
  expect(readClaim(source.text())).toEqual({ pod: "runner-1", job: "told" });
});

test("what cannot be read is warned of once, and what was known stays", () => {
  const warnings: unknown[] = [];
  const log = silentLog();
  log.warn = ((fields: unknown) => void warnings.push(fields)) as typeof log.warn;
  const path = folder();
  const source = new ClaimSource({ claim: { pod: "runner-1" }, path, log });
  expect([source.text(), source.text()]).toEqual(["pod=runner-1", "pod=runner-1"]);
  expect(warnings).toEqual([{ path, reason: "illegal operation on a directory" }]);
});

test("a pipe that nobody writes to does not hold up the builds", () => {
  const path = join(folder(), "job");
  execFileSync("mkfifo", [path]);
  const source = new ClaimSource({ claim: { pod: "runner-1" }, path, log: silentLog() });
  expect(source.text()).toBe("pod=runner-1");
});
