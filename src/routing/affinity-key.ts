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

/** The first image name, without tag and digest: `image:registry:5000/acme/app`. */
function imageKey({ imageNames }: KeyMaterial): string | undefined {
  const first = imageNames
    .flatMap((names) => names.split(","))
    .map((name) => name.trim())
    .find((name) => name !== "");
  if (first === undefined) return undefined;
  const withoutDigest = first.split("@", 1)[0]!;
  const name = withoutDigest.replace(/:[^/:]*$/, "");
  return name === "" ? undefined : `image:${name}`;
}
