import { posix } from "node:path";
import { parseAst } from "vitest/node";

/** One file of the program. */
export interface SourceFile {
  /** From the source folder, with slashes: `http2/frames.ts`. */
  readonly path: string;
  readonly text: string;
}

/** The floors, highest first. Parts of one floor do not know each other; a folder includes its subfolders. */
const FLOORS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["cli"],
  ["workers"],
  ["sidecar.ts"],
  ["gateway.ts"],
  ["configured-pools.ts", "configured-admin.ts", "configured-metrics.ts", "configured-traces.ts"],
  ["pool.ts", "pool-choice.ts", "configured-limits.ts", "configured-policy.ts", "configured-cluster.ts"],
  ["build-log.ts"],
  ["admin", "control", "dataplane", "doctor", "traces"],
  ["routing"],
  ["replicas"],
  ["identity", "trust"],
  ["buildkit", "http2", "kubernetes"],
  ["config"],
  ["base"],
];

/** The only parts that may read the configuration. */
const CONFIG_READERS = [
  "cli",
  "gateway.ts",
  "sidecar.ts",
  "configured-admin.ts",
  "configured-cluster.ts",
  "configured-limits.ts",
  "configured-metrics.ts",
  "configured-policy.ts",
  "configured-pools.ts",
  "configured-traces.ts",
  "config",
];

/** Names that say nothing about what a file is for. */
const EMPTY_NAMES = ["utils", "util", "common", "helpers", "helper", "types", "index", "misc"];

const MAX_LINES = 300;

/** Even a file that is excused for its length stays under this. */
const MAX_EXCUSED_LINES = 350;

/** What a project may be checked against. */
export interface FloorRules {
  /** Packages that the program may use when it runs. */
  readonly packages: readonly string[];
  /** Files that may be longer than 300 lines, up to 350. */
  readonly excusedLong?: readonly string[];
}

/** Every breach of STYLE §1 in a set of source files, one line each: `http2/x.ts: imports ../control/y.ts: …`. */
export function findBreaches(files: readonly SourceFile[], rules: FloorRules): string[] {
  const known = new Set(files.map(({ path }) => path));
  return files.flatMap((file) =>
    [
      ...breachesOfName(file.path),
      ...breachesOfLength(file, rules.excusedLong ?? []),
      ...referencesOf(file).flatMap((reference) => breachesOfReference(file.path, reference, known, rules.packages)),
    ].map((breach) => `${file.path}: ${breach}`),
  );
}

function breachesOfName(path: string): string[] {
  const breaches: string[] = [];
  const parts = path.split("/");
  const name = parts.at(-1)!.replace(/\.ts$/, "");
  if (!parts.every((part) => /^[a-z][a-z0-9]*(-[a-z0-9]+)*(\.ts)?$/.test(part))) breaches.push("is not kebab-case");
  if (EMPTY_NAMES.includes(name)) breaches.push(`is called ${name}, which says nothing`);
  if (floorOf(path) === -1) breaches.push("is in no folder of the floors");
  return breaches;
}

function breachesOfLength({ path, text }: SourceFile, excused: readonly string[]): string[] {
  const lines = text.replace(/\n$/, "").split("\n").length;
  const bound = excused.includes(path) ? MAX_EXCUSED_LINES : MAX_LINES;
  return lines > bound ? [`has ${lines} lines, more than ${bound}: look for a second concept`] : [];
}

function breachesOfReference(
  from: string,
  { specifier, isExport }: Reference,
  known: ReadonlySet<string>,
  packages: readonly string[],
): string[] {
  const breach = (reason: string) => [`imports ${specifier ?? "something computed"}: ${reason}`];
  if (specifier === undefined) return breach("a path must be a literal");
  if (!specifier.startsWith(".")) {
    const name = specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/");
    const isAllowed = specifier.startsWith("node:") || packages.includes(name);
    return isAllowed ? [] : breach("neither node: nor a dependency of the program");
  }
  const target = posix.join(posix.dirname(from), specifier);
  if (!known.has(target)) return breach("no such source file");
  if (isExport) return breach("a file exports what it defines, not what another does");
  const [ownPart, targetPart] = [partOf(from), partOf(target)];
  if (ownPart === targetPart) return [];
  if (targetPart === "config" && !CONFIG_READERS.includes(ownPart))
    return breach("only cli and gateway.ts read config");
  const [ownFloor, targetFloor] = [floorOf(from), floorOf(target)];
  if (targetFloor === ownFloor) return breach(`${ownPart} and ${targetPart} are on one floor`);
  return targetFloor < ownFloor ? breach(`${targetPart} is above ${ownPart}`) : [];
}

function partOf(path: string): string {
  return path.split("/")[0]!;
}

function floorOf(path: string): number {
  return FLOORS.findIndex((floor) => floor.includes(partOf(path)));
}

interface Reference {
  /** Undefined when the path is computed. */
  readonly specifier: string | undefined;
  readonly isExport: boolean;
}

/** What a file refers to: imports and exports of values and types, `import()` calls, `import("…")` types. */
function referencesOf({ path, text }: SourceFile): Reference[] {
  const references: Reference[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item);
    if (typeof node !== "object" || node === null || !("type" in node)) return;
    const { type, source } = node as { type: string; source?: { value?: unknown } | null };
    const isReference = /^(Import|Export\w+)Declaration$|^ImportExpression$|^TSImportType$/.test(type);
    if (isReference && source) {
      const specifier = typeof source.value === "string" ? source.value : undefined;
      references.push({ specifier, isExport: type.startsWith("Export") });
    }
    for (const child of Object.values(node)) visit(child);
  };
  visit(parseAst(text, { lang: "ts" }, path));
  return references;
}
