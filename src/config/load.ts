import type { z } from "zod";
import { readArguments } from "./arguments.ts";
import { suggestion } from "./closest.ts";
import { type ConfigFile, NO_CONFIG_FILE, type ReadFile, readConfigFile } from "./config-file.ts";
import { readEnvironment } from "./environment.ts";
import { CONFIG_FLAG, CONFIG_VARIABLE } from "./flags.ts";
import { NO_STANDARD_VALUES, readOtelEnvironment, type StandardValues } from "./otel-environment.ts";
import { formatPath, type Problem } from "./problem.ts";
import { RENAMED_SETTINGS } from "./renamed.ts";
import { type Config, configSchema } from "./schema.ts";
import { leadsTo, SETTINGS, type Setting, SIDECAR_SETTINGS } from "./settings.ts";
import { type SidecarConfig, sidecarSchema } from "./sidecar-schema.ts";
import { isGiven } from "./structure.ts";

/** Problems that are listed: a list of one setting may have a million items. */
const MAX_PROBLEMS = 100;

const NOT_LISTED: Problem = { subject: "", message: "further problems are not listed" };

/** Where a configuration comes from. */
export interface ConfigSources {
  /** The command line after the command's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: ReadFile;
}

/** A configuration, or everything that is wrong with it. */
export type LoadResult<T = Config> =
  | { readonly t: "loaded"; readonly config: T }
  | { readonly t: "invalid"; readonly problems: readonly Problem[] };

/**
 * Read the configuration of `serve`. A flag wins over a variable, the gateway's own variable over a standard one, a variable
 * over the file, the file over the default.
 */
export function loadConfig(sources: ConfigSources): LoadResult {
  return load(sources, configSchema, SETTINGS, readOtelEnvironment(sources.env), (tree) => {
    const sources = [tree.replicas, tree.replicasDns, tree.replicasService, tree.pools];
    if (sources.some(isGiven)) return undefined;
    const ways = "--replica tcp://host:port, --replicas-dns name:port, --replicas-service name";
    return `no replica given: use ${ways} or ${CONFIG_FLAG} gateway.yaml`;
  });
}

/** Read the configuration of `sidecar`, as {@link loadConfig} does. */
export function loadSidecarConfig(sources: ConfigSources): LoadResult<SidecarConfig> {
  return load(sources, sidecarSchema, SIDECAR_SETTINGS, NO_STANDARD_VALUES, () => undefined);
}

/** `whatIsMissing` is asked about what was given, once all of it could be read. */
function load<S extends z.ZodType>(
  { argv, env, readFile }: ConfigSources,
  schema: S,
  settings: readonly Setting[],
  standard: StandardValues,
  whatIsMissing: (tree: Readonly<Record<string, unknown>>) => string | undefined,
): LoadResult<z.output<S>> {
  const flags = readArguments(argv, [
    { flag: CONFIG_FLAG, isRepeatable: false },
    ...settings.flatMap(({ flag, isList }) => (flag === undefined ? [] : [{ flag, isRepeatable: isList }])),
  ]);
  const variables = new Set([CONFIG_VARIABLE, ...settings.flatMap(({ variable }) => variable ?? [])]);
  const environment = readEnvironment(env, variables);
  const flagPath = flags.values.get(CONFIG_FLAG)?.[0];
  const filePath = flagPath ?? environment.values.get(CONFIG_VARIABLE);
  const file = filePath
    ? readConfigFile(filePath, flagPath === undefined ? CONFIG_VARIABLE : CONFIG_FLAG, readFile)
    : NO_CONFIG_FILE;

  const {
    tree,
    origins,
    problems: standardProblems,
  } = overlay(settings, file, flags.values, environment.values, standard);
  const parsed = schema.safeParse(tree);
  const problems = [...flags.problems, ...environment.problems, ...standardProblems, ...file.problems];
  if (!parsed.success) {
    const locate = (path: readonly PropertyKey[]) => origins.get(nearestSetting(settings, path)) ?? file.locate(path);
    for (const issue of parsed.error.issues) {
      if (problems.length > MAX_PROBLEMS) break;
      problems.push(...describeIssue(issue, settings, locate));
    }
  }
  // What could not be read may well have named what is missing.
  const isAllRead = flags.problems.length + environment.problems.length + file.problems.length === 0;
  const missing = isAllRead ? whatIsMissing(tree) : undefined;
  if (missing !== undefined) problems.push({ subject: "", message: missing });
  if (parsed.success && problems.length === 0) return { t: "loaded", config: parsed.data };
  const isLong = problems.length > MAX_PROBLEMS;
  return { t: "invalid", problems: isLong ? [...problems.slice(0, MAX_PROBLEMS), NOT_LISTED] : problems };
}

/** The file's tree with variables and flags laid over it, and which of them set what. */
function overlay(
  settings: readonly Setting[],
  file: ConfigFile,
  flags: ReadonlyMap<string, readonly string[]>,
  variables: ReadonlyMap<string, string>,
  standard: StandardValues,
): { tree: Record<string, unknown>; origins: Map<string, string>; problems: Problem[] } {
  const tree = { ...file.tree };
  const origins = new Map<string, string>();
  const problems: Problem[] = [];
  for (const { path, keys, flag, variable, isList } of settings) {
    const flagValues = flag === undefined ? undefined : flags.get(flag);
    const origin = flagValues === undefined ? variable : flag;
    const text = flagValues === undefined ? variables.get(variable ?? "") : flagValues.join(",");
    if (text === undefined || origin === undefined) {
      const known = standard.get(path);
      if (!known) continue;
      origins.set(path, known.origin);
      if (known.problem) problems.push(known.problem);
      setAt(tree, keys, known.value);
      continue;
    }
    origins.set(path, origin);
    setAt(tree, keys, isList ? text : text.trim());
  }
  return { tree, origins, problems };
}

/** Set a value in a tree; a part of the way that is not a map is left for the schema to report. */
function setAt(tree: Record<string, unknown>, keys: readonly string[], value: string | readonly string[]): void {
  const [first, ...rest] = keys as [string, ...string[]];
  if (rest.length === 0) {
    tree[first] = value;
    return;
  }
  const child = tree[first] ?? {};
  if (typeof child !== "object" || Array.isArray(child)) return;
  const copy = { ...child } as Record<string, unknown>;
  tree[first] = copy;
  setAt(copy, rest, value);
}

/** The path of the setting that a path leads into, or the path itself. */
function nearestSetting(settings: readonly Setting[], path: readonly PropertyKey[]): string {
  const full = formatPath(path);
  return settings.find((setting) => full === setting.path || full.startsWith(`${setting.path}[`))?.path ?? full;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  settings: readonly Setting[],
  locate: (path: readonly PropertyKey[]) => string | undefined,
): Problem[] {
  const at = (path: readonly PropertyKey[], message: string): Problem => ({
    subject: formatPath(path),
    origin: locate(path),
    message,
  });
  if (issue.code === "unrecognized_keys") {
    const siblings = siblingKeys(settings, issue.path);
    return issue.keys.slice(0, MAX_PROBLEMS + 1).map((key) => {
      const renamed = RENAMED_SETTINGS.get(formatPath([...issue.path, key]));
      const hint = renamed === undefined ? suggestion(key, siblings) : ` (it is ${renamed} now)`;
      return at([...issue.path, key], `unknown key${hint}`);
    });
  }
  return [at(issue.path, issue.message)];
}

/** The keys that a section may have. */
function siblingKeys(settings: readonly Setting[], section: readonly PropertyKey[]): Set<string> {
  return new Set(settings.filter((setting) => leadsTo(setting, section)).map(({ keys }) => keys[section.length]!));
}
