import { deepStrictEqual, ok } from "node:assert/strict";
import { stringify } from "yaml";
import { loadConfig, loadSidecarConfig } from "../../../src/config/load.ts";
import { formatProblem, type Problem } from "../../../src/config/problem.ts";
import { ANY_NAME, SETTINGS, type Setting, SIDECAR_SETTINGS } from "../../../src/config/settings.ts";
import { Draw } from "../draw.ts";
import { drawText } from "../drawn-text.ts";
import type { FuzzTarget } from "../fuzz-target.ts";

const FILE = "gateway.yaml";

/** Names that mean something to JavaScript, and those that operators choose. */
const NAMES = [
  "a",
  "b",
  "default",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "A b",
  "x".repeat(300),
  "1",
];

/** Values that some setting takes, and some that none does. */
const VALUES: readonly unknown[] = [
  "tcp://10.0.0.1:1234",
  "tcp://[::1]:0",
  "unix:///run/x.sock",
  "a=tcp://b:1,c=tcp://d:2",
  "127.0.0.1:6060",
  "off",
  "buildkit.example:1234",
  "ns/service:port",
  "required",
  "optional",
  "linux/amd64,linux/arm64",
  "30s",
  "1.5h",
  "64MiB",
  "0",
  "1.5",
  "true",
  "/etc/tls.crt",
  "Solve",
  "*",
  "repository",
  "info",
  "",
  null,
  true,
  0,
  1,
  -1,
  1.5,
  1e300,
  Number.NaN,
  [],
  {},
  [null],
  ["a", "a"],
  { name: "a", address: "tcp://b:1" },
  "x".repeat(5_000),
];

const YAML_WORDS = [
  "[".repeat(20_000),
  "- ".repeat(20_000),
  "{a: ".repeat(5_000),
  ...":-,[]{}#&*!|>'\"%@`\n\t ",
  "\n  ",
  ": ",
  "- ",
  "&a [*a]",
  "<<: *a",
  "!!binary ",
  "!!js/function ",
  "---\n",
  "...\n",
  "? ",
  "\u0000",
  "\ufeff",
  "replicas",
  "pools:\n  a:\n    replicas: [tcp://b:1]\n",
  "tls:\n  mode: required\n",
  "policy:\n  a:\n    match: {}\n",
  "tcp://a:1",
  "30s",
  "~",
  "0x10",
  "1e400",
  "2020-01-01",
];

/** Whatever flags, variables and files say: a configuration, or problems that say where, in bounded time. */
export const target: FuzzTarget = {
  name: "config",
  maxInputBytes: 1_500,
  shortRunInputs: 200,
  sources: [
    "config/load.ts",
    "config/config-file.ts",
    "config/arguments.ts",
    "config/environment.ts",
    "config/schema.ts",
  ],
  open: () => ({ run }),
};

function run(input: Buffer): void {
  const draw = new Draw(input);
  const isSidecar = draw.chance(25);
  const settings = isSidecar ? SIDECAR_SETTINGS : SETTINGS;
  const file = draw.chance(40) ? drawText(draw, YAML_WORDS) : writeYaml(drawTree(draw, settings));
  const env = Object.fromEntries(draw.several(4, () => drawVariable(draw, settings)));
  const argv = [...draw.several(5, () => drawFlag(draw, settings)).flat()];
  if (draw.chance(90)) argv.push("--config", FILE);
  const bytes = draw.chance(5) ? Buffer.concat([Buffer.from(file), draw.rest()]) : Buffer.from(file);
  // The real reader refuses longer ones.
  const readFile = (_path: string, maxBytes: number) => bytes.subarray(0, maxBytes);
  const sources = { argv, env, readFile };
  const load = isSidecar ? loadSidecarConfig : loadConfig;
  const result = load(sources);
  ok(!("polluted" in {}) && Object.keys(Object.prototype).length === 0, "Object.prototype was changed");
  if (result.t === "invalid") {
    ok(result.problems.length > 0, "invalid, and no problem");
    for (const problem of result.problems) checkProblem(problem);
  } else checkNumbers(result.config);
  deepStrictEqual(load(sources), result);
}

/** A tree of settings with their own values or others', now and then with keys that are none. */
function drawTree(draw: Draw, settings: readonly Setting[]): unknown {
  const tree: Record<string, unknown> = Object.create(null);
  for (let left = draw.below(10); left > 0; left--) {
    const keys = draw.pick(settings).keys.map((key) => (key === ANY_NAME ? draw.pick(NAMES) : key));
    if (draw.chance(8)) keys[draw.below(keys.length)] = draw.pick(NAMES);
    if (draw.chance(5)) keys.push(draw.pick(NAMES));
    let at: Record<string, unknown> = tree;
    for (const key of keys.slice(0, -1)) {
      const child = at[key];
      const isMap = typeof child === "object" && child !== null && !Array.isArray(child);
      const next: Record<string, unknown> = isMap ? (child as Record<string, unknown>) : Object.create(null);
      at[key] = next;
      at = next;
    }
    at[keys.at(-1)!] = drawValue(draw);
  }
  return draw.chance(3) ? drawValue(draw) : tree;
}

function drawValue(draw: Draw): unknown {
  if (draw.chance(5)) return drawText(draw, YAML_WORDS);
  if (draw.chance(10)) return draw.several(4, () => draw.pick(VALUES));
  return draw.pick(VALUES);
}

/** Its own writer must not fail on what is to be read. */
function writeYaml(tree: unknown): string {
  return stringify(tree, { aliasDuplicateObjects: false });
}

function drawVariable(draw: Draw, settings: readonly Setting[]): [name: string, text: string] {
  const { variable = "BUILDKIT_GATEWAY_X" } = draw.pick(settings);
  const name = draw.chance(90) ? variable : `${variable}${draw.pick(["_SERVICE_HOST", "S", "_"])}`;
  return [name, drawWord(draw)];
}

function drawFlag(draw: Draw, settings: readonly Setting[]): string[] {
  const flags = settings.flatMap(({ flag }) => flag ?? []);
  const flag = draw.chance(90)
    ? draw.pick(flags)
    : draw.pick(["--", "-x", "--replicas", "word", "--config", "--__proto__"]);
  const text = drawWord(draw);
  return draw.pick([[flag, text], [`${flag}=${text}`], [flag]]);
}

function drawWord(draw: Draw): string {
  const drawn = drawValue(draw);
  return typeof drawn === "string" ? drawn : (JSON.stringify(drawn) ?? "");
}

/** Names what is wrong: a setting, a flag, a variable or the file; of two, that something is missing or too much. */
function checkProblem(problem: Problem): void {
  const { subject, message } = problem;
  ok(message !== "", "a problem without a message");
  ok(
    subject !== "" || /^(no replica given|unexpected argument|further problems)/.test(message),
    `no subject: ${message}`,
  );
  const line = formatProblem(problem);
  ok(!line.includes("\n"), "a problem of several lines");
  ok(!/\bundefined\b|\[object |^TypeError|Invalid input/.test(message), `a message for nobody: ${message}`);
}

/** Every number of a configuration can be counted with. */
function checkNumbers(value: unknown): void {
  if (typeof value === "number") ok(Number.isFinite(value), `a setting of ${value}`);
  else if (typeof value === "object" && value !== null) for (const one of Object.values(value)) checkNumbers(one);
}
