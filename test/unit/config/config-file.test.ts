import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readBoundedNow } from "../../../src/base/bounded-file.ts";
import { type ConfigFile, readConfigFile } from "../../../src/config/config-file.ts";
import { formatProblem } from "../../../src/config/problem.ts";

function read(content: string | Buffer): ConfigFile {
  return readConfigFile("gateway.yaml", "--config", () => Buffer.from(content));
}

function problemsOf(file: ConfigFile): string[] {
  return file.problems.map(formatProblem);
}

function temporaryFile(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "gateway.yaml");
  writeFileSync(path, content);
  return path;
}

describe("a file that cannot be used is one clear problem", () => {
  test.each([
    ["not a map", "- a\n", "gateway.yaml (--config): not a map of settings"],
    ["more than one document", "a: 1\n---\nb: 2\n", "gateway.yaml:2: more than one document"],
    ["a repeated key", "log:\n  level: info\n  level: warn\n", "gateway.yaml:3: map keys must be unique"],
    // Node warned of these on its own, in the middle of everything: found by `npm run fuzz`.
    ["a key that is a list", "? [a]\n: 1\n", "gateway.yaml:1: a key that is not text"],
    ["a key that is an alias", "a: &x [b]\n? *x\n: 1\n", "gateway.yaml:2: a key that is not text"],
    ["an unknown tag", "a: !!binaries 1\n", "gateway.yaml:1: unresolved tag: tag:yaml.org,2002:binaries"],
    ["nesting without end", "[".repeat(500_000), "gateway.yaml (--config): nested too deeply"],
    // Each took the parser half a minute: found by `npm run fuzz`.
    [
      "brackets without end",
      "]".repeat(1 << 20),
      "gateway.yaml (--config): more than 50000 words, marks and line ends",
    ],
    [
      "keys without end",
      "a: b\n".repeat(1 << 17),
      "gateway.yaml (--config): more than 50000 words, marks and line ends",
    ],
    ["nesting by dashes", `${"- ".repeat(100)}a`, "gateway.yaml (--config): nested too deeply"],
  ])("%s", (_what, text, problem) => {
    expect(problemsOf(read(text))).toEqual([problem]);
  });

  test("a syntax error, with its line", () => {
    expect(problemsOf(read("listen: tcp://a:1\nreplicas: [\ntls: {}\n"))[0]).toMatch(/^gateway\.yaml:\d: /);
    expect(problemsOf(read("a: 1\nb: 'unfinished\n"))[0]).toMatch(/^gateway\.yaml:\d: missing closing 'quote/);
  });

  test("bytes that are not UTF-8", () => {
    expect(problemsOf(read(Buffer.from([0x61, 0x3a, 0xff])))).toEqual(["gateway.yaml (--config): not UTF-8 text"]);
  });

  test("aliases that multiply", () => {
    const levels = ["a", "b", "c", "d", "e"];
    const text = levels.map((name, i) => {
      const item = i === 0 ? "x" : `*${levels[i - 1]}`;
      return `${name}: &${name} [${Array(9).fill(item).join(",")}]`;
    });
    expect(problemsOf(read(text.join("\n")))[0]).toContain("excessive alias count");
  });

  test("a file that is not there, is a folder, or never ends", () => {
    const problems = ["/nonexistent/gateway.yaml", "/", "/dev/zero"].flatMap((path) =>
      problemsOf(readConfigFile(path, "--config", readBoundedNow)),
    );
    expect(problems).toEqual([
      "/nonexistent/gateway.yaml (--config): no such file or directory",
      "/ (--config): illegal operation on a directory",
      "/dev/zero (--config): not a regular file",
    ]);
  });
});

test("a file of exactly the largest size is read, one byte more is not", () => {
  const largest = temporaryFile(`#${"x".repeat(2 ** 20 - 1)}`);
  expect(problemsOf(readConfigFile(largest, "--config", readBoundedNow))).toEqual([]);
  const larger = temporaryFile(`#${"x".repeat(2 ** 20)}`);
  expect(problemsOf(readConfigFile(larger, "--config", readBoundedNow))[0]).toContain(
    "1048577 bytes, more than 1048576",
  );
});

test("a byte order mark and comments are no content", () => {
  const file = read("\uFEFF# nothing\n");
  expect(file.problems).toEqual([]);
  expect(file.tree).toEqual({});
});

test("a path is located at its line, or at the nearest thing around it", () => {
  const { locate } = read("log:\n  level: info\nreplicas:\n  - tcp://a:1\n  - name: b\n    address: tcp://b:1\n");
  expect(locate(["log", "level"])).toBe("gateway.yaml:2");
  expect(locate(["replicas", 0])).toBe("gateway.yaml:4");
  expect(locate(["replicas", 1, "address"])).toBe("gateway.yaml:6");
  expect(locate(["replicas", 1, "missing"])).toBe("gateway.yaml:5");
  expect(locate(["drain", "grace"])).toBeUndefined();
});

test("what an alias stands for is located where it is written", () => {
  const { locate } = read("log: &shared\n  level: info\ndrain: *shared\n");
  expect(locate(["drain", "level"])).toBe("gateway.yaml:2");
});
