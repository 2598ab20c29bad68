import { type DaemonRegistry, readDaemonRegistry } from "./daemon-registry.ts";
import { readRegistryName } from "./registry-name.ts";

/** Most registries that are asked, their mirrors included. */
const MAX_ASKED = 100;

/** A registry to verify, with what the daemon's file says of it. */
export interface AskedRegistry {
  readonly registry: string;
  /** The registry that it is a mirror of; undefined where it is asked for itself. */
  readonly mirrorOf: string | undefined;
  readonly settings: DaemonRegistry;
}

/**
 * The registries that are asked for, whose names must be some, each followed by its mirrors: the daemon asks those
 * first. A fault is one of the file `toml`.
 */
export function askedRegistries(
  given: readonly string[],
  toml: string,
): { readonly registries: readonly AskedRegistry[] } | { readonly fault: string } {
  const asked = new Map<string, AskedRegistry>();
  const queue = [...new Set(given)].map((registry) => ({ registry, mirrorOf: undefined as string | undefined }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { registry, mirrorOf } = next;
    const outcome = readDaemonRegistry(toml, registry);
    if (outcome.t === "malformed") return { fault: `line ${outcome.line}: ${outcome.reason}` };
    asked.set(registry, { registry, mirrorOf, settings: outcome.registry });
    if (asked.size > MAX_ASKED) return { fault: `more than ${MAX_ASKED} registries with their mirrors` };
    // Mirrors of a mirror are not asked.
    const mirrors = mirrorOf === undefined ? outcome.registry.mirrors : [];
    const odd = mirrors.find((mirror) => readRegistryName(mirror) === undefined);
    if (odd !== undefined) return { fault: `a mirror of ${registry} is not a registry: ${JSON.stringify(odd)}` };
    const isNew = (mirror: string) => !given.includes(mirror) && !asked.has(mirror);
    queue.unshift(...mirrors.filter(isNew).map((mirror) => ({ registry: mirror, mirrorOf: registry })));
  }
  return { registries: [...asked.values()] };
}
