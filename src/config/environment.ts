import { closestName } from "./closest.ts";
import type { Problem } from "./problem.ts";
import { RENAMED_SETTINGS } from "./renamed.ts";
import { VARIABLE_PREFIX, variableName } from "./settings.ts";

/**
 * Variables that a kubelet sets in every pod for a Service whose name begins with
 * `buildkit-gateway` (kubernetes.io, Service, "Environment variables"). They are
 * not ours, and must not stop a gateway from starting beside its own Service.
 */
const SERVICE_VARIABLE =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** The new variables of settings that have had another one, by the old one. */
const RENAMED_VARIABLES: ReadonlyMap<string, string> = new Map(
  [...RENAMED_SETTINGS].map((paths) => paths.map((path) => variableName(path.split("."))) as [string, string]),
);

/** The variables that are set and known. An empty one counts as not set. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  knownVariables: ReadonlySet<string>,
): { readonly values: ReadonlyMap<string, string>; readonly problems: readonly Problem[] } {
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
    if (knownVariables.has(name)) {
      if (text !== "") values.set(name, text);
    } else if (!SERVICE_VARIABLE.test(name)) {
      problems.push({ subject: name, message: `unknown variable${nearVariable(name, knownVariables)}` });
    }
  }
  return { values, problems };
}

/** All variables begin alike, so only what follows tells how near one is. */
function nearVariable(name: string, knownVariables: ReadonlySet<string>): string {
  const renamed = RENAMED_VARIABLES.get(name);
  if (renamed !== undefined) return ` (it is ${renamed} now)`;
  const endings = [...knownVariables].map((known) => known.slice(VARIABLE_PREFIX.length));
  const closest = closestName(name.slice(VARIABLE_PREFIX.length), endings);
  return closest === undefined ? "" : ` (did you mean ${VARIABLE_PREFIX}${closest}?)`;
}
