import { type Caller, callerKey } from "../identity/caller.ts";
import { parseRepository, type Repository, trimPath } from "./repository.ts";

/** Where a key can come from; their order is configuration. */
export const KEY_SOURCES = ["repository", "repository-root", "image", "identity", "sharedkey"] as const;

export type KeySource = (typeof KEY_SOURCES)[number];

/** What of a build its key is made from. */
export interface KeyMaterial {
  /** Frontend options of the Solve: `vcs:source`, `vcs:localdir:context`, `context`. */
  readonly attrs: ReadonlyMap<string, string>;
  /** Image names of the exporters, each maybe several, comma-separated. */
  readonly imageNames: readonly string[];
  /** Who builds. */
  readonly caller: Caller;
  /** The session's `x-docker-expose-session-sharedkey`, where the session has been seen. */
  readonly sharedKey: string | undefined;
}

/** Longest key that is kept; what is longer is cut, and still the same for the same build. */
const MAX_KEY_CHARACTERS = 512;

/**
 * Name what a build shares its cache with: the first of `sources` that is
 * present. Builds of one key belong on one replica. `undefined`: it goes where
 * the load is least.
 *
 * Keys hold no credentials and may be logged.
 */
export function affinityKey(material: KeyMaterial, sources: readonly KeySource[]): string | undefined {
  for (const source of sources) {
    const key = KEY_READERS[source](material);
    if (key !== undefined) return key.slice(0, MAX_KEY_CHARACTERS);
  }
  return undefined;
}

const KEY_READERS: Readonly<Record<KeySource, (material: KeyMaterial) => string | undefined>> = {
  repository: repositoryKey,
  "repository-root": ({ attrs }) => repositoryOf(attrs)?.name,
  image: imageKey,
  identity: ({ caller }) => callerKey(caller),
  sharedkey: ({ sharedKey }) => (sharedKey ? `shared:${sharedKey}` : undefined),
};

/** `github.com/acme/app` or `github.com/acme/app//sub`. */
function repositoryKey({ attrs }: KeyMaterial): string | undefined {
  const repository = repositoryOf(attrs);
  if (!repository) return undefined;
  return repository.subdir === "" ? repository.name : `${repository.name}//${repository.subdir}`;
}

/** The checkout that the client builds from, with the context's directory in it, else the context where that is a git URL. */
function repositoryOf(attrs: KeyMaterial["attrs"]): Repository | undefined {
  const source = parseRepository(attrs.get("vcs:source") ?? "");
  if (source) return { name: source.name, subdir: trimPath(attrs.get("vcs:localdir:context") ?? "") };
  return parseRepository(attrs.get("context") ?? "");
}

/** Longest list of image names that is looked at. */
const MAX_NAMES_CHARACTERS = 4_096;

/**
 * `[registry[:port]/]path[:tag][@digest]`. What has another form may hold what
 * must not be shown.
 */
const REFERENCE =
  /^((?:(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?\/)?[a-z0-9._/-]+)(?::[A-Za-z0-9._-]+)?(?:@[a-z0-9+._-]+:[0-9A-Fa-f]{32,})?$/;

/** The first image name, without tag and digest: `image:registry:5000/acme/app`, `image:acme/app`. */
function imageKey({ imageNames }: KeyMaterial): string | undefined {
  for (const names of imageNames) {
    for (const reference of names.slice(0, MAX_NAMES_CHARACTERS).split(",")) {
      const name = REFERENCE.exec(reference.trim())?.[1];
      if (name !== undefined) return `image:${familiarName(name)}`;
    }
  }
  return undefined;
}

/** Names of the registry that a name without one means (distribution/reference normalize.go). */
const DEFAULT_REGISTRIES = new Set(["docker.io", "index.docker.io"]);

/** What a registry in front of a name has, and the first part of a path has not. */
const REGISTRY = /[.:A-Z]|^localhost$/;

/** One name for all spellings of an image: `docker.io/library/app` and `app` are `app`; a registry's case does not matter. */
function familiarName(name: string): string {
  const slash = name.indexOf("/");
  const hasRegistry = slash > 0 && REGISTRY.test(name.slice(0, slash));
  const registry = hasRegistry ? name.slice(0, slash).toLowerCase() : "docker.io";
  const path = hasRegistry ? name.slice(slash + 1) : name;
  return DEFAULT_REGISTRIES.has(registry) ? path.replace(/^library\/(?=[^/]+$)/, "") : `${registry}/${path}`;
}
