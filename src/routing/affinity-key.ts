import { parseRepository, trimPath } from "./repository.ts";

/** Where a key can come from; their order is configuration. */
export const KEY_SOURCES = ["repository", "image", "sharedkey"] as const;

export type KeySource = (typeof KEY_SOURCES)[number];

/** What of a build its key is made from. */
export interface KeyMaterial {
  /** Frontend options of the Solve: `vcs:source`, `vcs:localdir:context`, `context`. */
  readonly attrs: ReadonlyMap<string, string>;
  /** Image names of the exporters, each maybe several, comma-separated. */
  readonly imageNames: readonly string[];
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
  image: imageKey,
  sharedkey: ({ sharedKey }) => (sharedKey ? `shared:${sharedKey}` : undefined),
};

/** `github.com/acme/app` or `github.com/acme/app//sub`. */
function repositoryKey({ attrs }: KeyMaterial): string | undefined {
  const source = parseRepository(attrs.get("vcs:source") ?? "");
  if (source) return withDirectory(source.name, trimPath(attrs.get("vcs:localdir:context") ?? ""));
  const context = parseRepository(attrs.get("context") ?? "");
  return context && withDirectory(context.name, context.subdir);
}

function withDirectory(name: string, directory: string): string {
  return directory === "" ? name : `${name}//${directory}`;
}

/** Longest list of image names that is looked at. */
const MAX_NAMES_CHARACTERS = 4_096;

/**
 * `[registry[:port]/]path[:tag][@digest]`. What has another form may hold what
 * must not be shown.
 */
const REFERENCE =
  /^((?:(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?\/)?[a-z0-9._/-]+)(?::[A-Za-z0-9._-]+)?(?:@[a-z0-9+._-]+:[0-9A-Fa-f]{32,})?$/;

/** The first image name, without tag and digest: `image:registry:5000/acme/app`. */
function imageKey({ imageNames }: KeyMaterial): string | undefined {
  for (const names of imageNames) {
    for (const reference of names.slice(0, MAX_NAMES_CHARACTERS).split(",")) {
      const name = REFERENCE.exec(reference.trim())?.[1];
      if (name !== undefined) return `image:${name}`;
    }
  }
  return undefined;
}
