import { list, section } from "./structure.ts";
import { choice, count, duration, fraction } from "./value-types.ts";
import { weightList } from "./weight-values.ts";

/** Where the key of a build's cache locality can come from. */
export const AFFINITY_SOURCES = ["repository", "repository-root", "image", "identity", "sharedkey"] as const;

/** What a waiting build's user is shown. */
export const PROGRESS_MODES = ["queued", "always", "off"] as const;

const DAY_MS = 86_400_000;

/** `affinity`: what makes builds land where their cache is. */
export const affinitySchema = section({
  keys: list(choice(AFFINITY_SOURCES), { label: AFFINITY_SOURCES.join(", "), writeItem: String }, (source) => [source])
    .default(["repository", "image", "identity", "sharedkey"])
    .describe(
      "What names the cache that builds share, in order: the first that a build carries is its key. `repository` is " +
        "the git repository with the context's directory in it; `repository-root` is the repository alone: choose it " +
        "where the directories of a repository share most of their steps. `image` is the image name without tag and " +
        "digest, `identity` is who builds (`identity`): the repository of the job, else the client's certificate, else " +
        "what its pod is one of; `sharedkey` is what buildx derives from the local directory. With an empty list, every build goes to " +
        "the least loaded replica.",
    ),
  patience: duration()
    .default(5_000)
    .describe(
      "How long a build waits for the replica that has its cache before it takes another. Choose about the time that " +
        "a cold cache costs a typical build: `0` never waits, minutes suit builds that are slow without their cache.",
    ),
  lifetime: duration({ min: 1_000 })
    .default(7 * DAY_MS)
    .describe(
      "How long it is remembered where a key last built. Choose about as long as BuildKit's garbage collection keeps a " +
        "cache that nobody uses.",
    ),
  entries: count({ min: 1, max: 10_000_000 })
    .default(100_000)
    .describe("Keys that are remembered; beyond it, the one that has not built for longest is forgotten."),
});

/** `placement`: how evenly builds are spread. */
export const placementSchema = section({
  loadFactor: fraction({ min: 1 })
    .default(2)
    .describe(
      "How many times the mean number of running builds a replica may run before a build goes to the next one. Less " +
        "spreads builds more evenly and leaves more of their caches behind.",
    ),
  loadFloor: count()
    .default(4)
    .describe("A replica that runs fewer builds than this never has too many, whatever the mean."),
});

/** `queue`: what happens to builds while every replica is full. */
export const queueSchema = section({
  builds: count({ max: 1_000_000 })
    .default(1_000)
    .describe("Builds that may wait for a replica; one more is refused. `0`: none waits."),
  timeout: duration({ min: 1_000 })
    .default(1_800_000)
    .describe(
      "How long a build may wait for a replica before it is refused. Choose more than a fleet scaled to zero needs to " +
        "start, and less than the time limit of the CI jobs.",
    ),
  perKey: count()
    .default(0)
    .describe(
      "Builds of one key that may run at once; more of them wait while other keys go on. For a build without a key, " +
        "those of its client's address. `0`: no limit.",
    ),
  weights: weightList()
    .default([])
    .describe(
      "Shares of keys in a full fleet: a key of weight 2 may run twice as many builds as one of weight 1, the default, " +
        "before the other goes first. Each `pattern=weight` holds for a key, or with `*` at its end for all keys that " +
        "begin so: `github.com/acme/*=2`. The longest that matches counts.",
    ),
  progress: choice(PROGRESS_MODES)
    .default("queued")
    .describe(
      "Whether a build's progress shows what the gateway does: `queued` when the build has to wait, `always` also where " +
        "it went when it did not, `off` never.",
    ),
});
