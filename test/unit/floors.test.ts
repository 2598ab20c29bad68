import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findBreaches, type SourceFile } from "../support/floors.ts";

const SOURCE = new URL("../../src/", import.meta.url);

const MANIFEST = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  dependencies: Record<string, string>;
};

function sourceFiles(): SourceFile[] {
  return readdirSync(fileURLToPath(SOURCE), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path: path.replaceAll("\\", "/"), text: readFileSync(new URL(path, SOURCE), "utf8") }));
}

test("the program keeps to its floors, names and lengths", () => {
  const breaches = findBreaches(sourceFiles(), { packages: Object.keys(MANIFEST.dependencies) });
  expect(breaches).toEqual([]);
});

describe("the check finds", () => {
  /** What is wrong with a file at `path`, beside one file of every part. */
  function breachesOf(path: string, text: string, excusedLong: readonly string[] = []): string[] {
    const beside = [
      "main.ts",
      "gateway.ts",
      ...["cli", "admin", "control", "dataplane", "routing", "replicas", "replicas/discovery", "identity", "trust"].map(
        (folder) => `${folder}/there.ts`,
      ),
      ...["buildkit", "http2", "kubernetes", "config", "base"].map((folder) => `${folder}/there.ts`),
    ];
    const files = [{ path, text }, ...beside.filter((name) => name !== path).map((name) => ({ path: name, text: "" }))];
    return findBreaches(files, { packages: ["pino", "@grpc/grpc-js"], excusedLong });
  }

  test.each([
    ["base/here.ts", "../http2/there.ts", "http2 is above base"],
    ["http2/here.ts", "../buildkit/there.ts", "http2 and buildkit are on one floor"],
    ["kubernetes/here.ts", "../http2/there.ts", "kubernetes and http2 are on one floor"],
    ["identity/here.ts", "../trust/there.ts", "identity and trust are on one floor"],
    ["replicas/here.ts", "../routing/there.ts", "routing is above replicas"],
    ["dataplane/here.ts", "../control/there.ts", "dataplane and control are on one floor"],
    ["admin/here.ts", "../dataplane/there.ts", "admin and dataplane are on one floor"],
    ["control/here.ts", "../gateway.ts", "gateway.ts is above control"],
    ["gateway.ts", "./cli/there.ts", "cli is above gateway.ts"],
    ["config/here.ts", "../buildkit/there.ts", "buildkit is above config"],
    ["dataplane/here.ts", "../config/there.ts", "only cli and gateway.ts read config"],
    ["main.ts", "./config/there.ts", "only cli and gateway.ts read config"],
    ["replicas/discovery/here.ts", "../../routing/there.ts", "routing is above replicas"],
    ["base/here.ts", "../../test/support/floors.ts", "no such source file"],
    ["base/here.ts", "./there", "no such source file"],
    ["base/here.ts", "vitest", "neither node: nor a dependency of the program"],
    ["base/here.ts", "@grpc/proto-loader", "neither node: nor a dependency of the program"],
  ])("%s importing %s", (path, specifier, reason) => {
    expect(breachesOf(path, `import { x } from "${specifier}";`)).toEqual([`${path}: imports ${specifier}: ${reason}`]);
  });

  test.each([
    ["main.ts", "./cli/there.ts"],
    ["cli/here.ts", "../gateway.ts"],
    ["cli/here.ts", "../config/there.ts"],
    ["gateway.ts", "./config/there.ts"],
    ["gateway.ts", "./dataplane/there.ts"],
    ["dataplane/here.ts", "../http2/there.ts"],
    ["dataplane/here.ts", "./there.ts"],
    ["routing/here.ts", "../base/there.ts"],
    ["replicas/here.ts", "./discovery/there.ts"],
    ["replicas/discovery/here.ts", "../there.ts"],
    ["control/here.ts", "@grpc/grpc-js"],
    ["base/here.ts", "node:net"],
    ["base/here.ts", "pino/file"],
  ])("nothing wrong with %s importing %s", (path, specifier) => {
    expect(breachesOf(path, `import { x } from "${specifier}";`)).toEqual([]);
  });

  test.each([
    ["a type import", 'import type { X } from "../http2/there.ts";'],
    ["an inline type import", 'import { type X } from "../http2/there.ts";'],
    ["an import for its effect", 'import "../http2/there.ts";'],
    ["an import over several lines", 'import {\n  x, // "./no.ts"\n  y,\n} from "../http2/there.ts";'],
    ["a dynamic import", 'export const x = async () => (await import("../http2/there.ts")).y;'],
    ["a type taken from an import", 'export let x: import("../http2/there.ts").X;'],
  ])("%s that breaks a floor", (_form, text) => {
    expect(breachesOf("base/here.ts", text)).toEqual(["base/here.ts: imports ../http2/there.ts: http2 is above base"]);
  });

  test.each([
    ["a name", 'export { x } from "./there.ts";'],
    ["a type", 'export type { X } from "./there.ts";'],
    ["everything", 'export * from "./there.ts";'],
    ["everything under a name", 'export * as there from "./there.ts";'],
  ])("a file that exports %s of another", (_form, text) => {
    expect(breachesOf("base/here.ts", text)).toEqual([
      "base/here.ts: imports ./there.ts: a file exports what it defines, not what another does",
    ]);
  });

  test("a dynamic import of a computed path", () => {
    expect(breachesOf("base/here.ts", "export const load = (x: string) => import(x);")).toEqual([
      "base/here.ts: imports something computed: a path must be a literal",
    ]);
  });

  test("no import in a text or a comment", () => {
    const text = `// import "../http2/there.ts";\nexport const x = 'import "../http2/there.ts"';\n`;
    expect(breachesOf("base/here.ts", text)).toEqual([]);
  });

  test.each(["frameReader.ts", "FrameReader.ts", "frame_reader.ts", "frame-.ts"])("the name %s", (name) => {
    expect(breachesOf(`base/${name}`, "")).toEqual([`base/${name}: is not kebab-case`]);
  });

  test.each(["utils", "common", "helpers", "types", "index"])("a file called %s", (name) => {
    expect(breachesOf(`base/${name}.ts`, "")).toEqual([`base/${name}.ts: is called ${name}, which says nothing`]);
  });

  test("a folder without a floor", () => {
    expect(breachesOf("shared/here.ts", "")).toEqual(["shared/here.ts: is in no folder of the floors"]);
  });

  test("a file of more than 300 lines, or of more than 350 when it is excused", () => {
    const lines = (count: number) => "export {};\n".repeat(count);
    expect(breachesOf("base/here.ts", lines(300))).toEqual([]);
    expect(breachesOf("base/here.ts", lines(301))).toEqual([
      "base/here.ts: has 301 lines, more than 300: look for a second concept",
    ]);
    expect(breachesOf("base/here.ts", lines(350), ["base/here.ts"])).toEqual([]);
    expect(breachesOf("base/here.ts", lines(351), ["base/here.ts"])).toEqual([
      "base/here.ts: has 351 lines, more than 350: look for a second concept",
    ]);
  });
});
