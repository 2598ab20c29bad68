import type { z } from "zod";
import { type KnownFlag, readArguments } from "./arguments.ts";
import { suggestion } from "./closest.ts";
import { type ConfigFile, NO_CONFIG_FILE, type ReadFile, readConfigFile } from "./config-file.ts";
import { readEnvironment } from "./environment.ts";
import { CONFIG_FLAG, CONFIG_VARIABLE } from "./flags.ts";
import { formatPath, type Problem } from "./problem.ts";
import { RENAMED_SETTINGS } from "./renamed.ts";
import { type Config, configSchema } from "./schema.ts";
import { leadsTo, SETTINGS } from "./settings.ts";
import { isGiven } from "./structure.ts";

/** Where a configuration comes from. */
export interface ConfigSources {
  /** The command line after the command's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

/** A configuration, or everything that is wrong with it. */
export type LoadResult =
  | { readonly t: "loaded"; readonly config: Config }
  | { readonly t: "invalid"; readonly problems: readonly Problem[] };

const FLAGS: readonly KnownFlag[] = [
  { flag: CONFIG_FLAG, isRepeatable: false },
  ...SETTINGS.flatMap(({ flag, isList }) => (flag === undefined ? [] : [{ flag, isRepeatable: isList }])),
];

const VARIABLES: ReadonlySet<string> = new Set([
  CONFIG_VARIABLE,
  ...SETTINGS.flatMap(({ variable }) => variable ?? []),
]);

/** Read the configuration. A flag wins over a variable, a variable over the file, the file over the default. */
export function loadConfig({ argv, env, readFile }: ConfigSources): LoadResult {
  const flags = readArguments(argv, FLAGS);
  const environment = readEnvironment(env, VARIABLES);
  const flagPath = flags.values.get(CONFIG_FLAG)?.[0];
  const filePath = flagPath ?? environment.values.get(CONFIG_VARIABLE);
  const file = filePath
    ? readConfigFile(filePath, flagPath === undefined ? CONFIG_VARIABLE : CONFIG_FLAG, readFile)
    : NO_CONFIG_FILE;

  const { tree, origins } = overlay(file, flags.values, environment.values);
  const parsed = configSchema.safeParse(tree);
  const problems = [...flags.problems, ...environment.problems, ...file.problems];
  if (!parsed.success) {
    const locate = (path: readonly PropertyKey[]) => origins.get(nearestSetting(path)) ?? file.locate(path);
    problems.push(...parsed.error.issues.flatMap((issue) => describeIssue(issue, locate)));
  }
  // What could not be read may well have named the replicas.
  const isAllRead = flags.problems.length + environment.problems.length + file.problems.length === 0;
  if (isAllRead && !isGiven(tree.replicas) && !isGiven(tree.replicasDns) && !isGiven(tree.pools)) {
    problems.push({
      subject: "",
      message: `no replica given: use --replica tcp://host:port, --replicas-dns name:port or ${CONFIG_FLAG} gateway.yaml`,
    });
  }
  return parsed.success && problems.length === 0 ? { t: "loaded", config: parsed.data } : { t: "invalid", problems };
}

/** The file's tree with variables and flags laid over it, and which of them set what. */
function overlay(
  file: ConfigFile,
  flags: ReadonlyMap<string, readonly string[]>,
  variables: ReadonlyMap<string, string>,
): { tree: Record<string, unknown>; origins: Map<string, string> } {
  const tree = { ...file.tree };
  const origins = new Map<string, string>();
  for (const { path, keys, flag, variable, isList } of SETTINGS) {
    const flagValues = flag === undefined ? undefined : flags.get(flag);
    const origin = flagValues === undefined ? variable : flag;
    const text = flagValues === undefined ? variables.get(variable ?? "") : flagValues.join(",");
    if (text === undefined || origin === undefined) continue;
    origins.set(path, origin);
    setAt(tree, keys, isList ? text : text.trim());
  }
  return { tree, origins };
}

/** Set a value in a tree; a part of the way that is not a map is left for the schema to report. */
function setAt(tree: Record<string, unknown>, keys: readonly string[], text: string): void {
  const [first, ...rest] = keys as [string, ...string[]];
  if (rest.length === 0) {
    tree[first] = text;
    return;
  }
  const child = tree[first] ?? {};
  if (typeof child !== "object" || Array.isArray(child)) return;
  const copy = { ...child } as Record<string, unknown>;
  tree[first] = copy;
  setAt(copy, rest, text);
}

/** The path of the setting that a path leads into, or the path itself. */
function nearestSetting(path: readonly PropertyKey[]): string {
  const full = formatPath(path);
  return SETTINGS.find((setting) => full === setting.path || full.startsWith(`${setting.path}[`))?.path ?? full;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  locate: (path: readonly PropertyKey[]) => string | undefined,
): Problem[] {
  const at = (path: readonly PropertyKey[], message: string): Problem => ({
    subject: formatPath(path),
    origin: locate(path),
    message,
  });
  if (issue.code === "unrecognized_keys") {
    const siblings = siblingKeys(issue.path);
    return issue.keys.map((key) => {
      const renamed = RENAMED_SETTINGS.get(formatPath([...issue.path, key]));
      const hint = renamed === undefined ? suggestion(key, siblings) : ` (it is ${renamed} now)`;
      return at([...issue.path, key], `unknown key${hint}`);
    });
  }
  return [at(issue.path, issue.message)];
}

/** The keys that a section may have. */
function siblingKeys(section: readonly PropertyKey[]): Set<string> {
  return new Set(SETTINGS.filter((setting) => leadsTo(setting, section)).map(({ keys }) => keys[section.length]!));
}
