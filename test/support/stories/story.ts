import { randomBytes } from "node:crypto";
import type { Buildx, DriverOpts } from "../lab/buildx.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabReplica } from "../lab/replica.ts";
import type { BuildxVersion } from "../lab/tools.ts";

/** What builds go to: one replica directly, or a gateway in front of some. */
export interface Target {
  /** For people: `direct`, `gateway-3`. */
  readonly name: string;
  /** `tcp://host:port`, as given to buildx. */
  readonly address: string;
  readonly driverOpts?: DriverOpts;
  /** All replicas behind the address. */
  readonly replicas: readonly LabReplica[];
}

/**
 * What a story came to: a plain value, equal for every target.
 *
 * Ids, times, and digests that depend on the moment are left out or written as placeholders.
 */
export type Outcome =
  | string
  | number
  | boolean
  | null
  | readonly Outcome[]
  | { readonly [key: string]: Outcome | undefined };

/** What a story has to work with. Everything is its own except the target. */
export interface StoryContext {
  /** A fresh buildx with the target as its only builder. */
  readonly buildx: Buildx;
  readonly target: Target;
  /** A new empty folder, removed with the lab. */
  readonly newFolder: () => Promise<string>;
  /** A static busybox to copy into images. */
  readonly busybox: string;
  /** Different for every run of a story, so that nothing an earlier run left behind can matter. */
  readonly nonce: string;
  /** Size of the files that the stories about size use. */
  readonly bigFileBytes: number;
  /** How long one run of buildx may take. */
  readonly timeoutMs: number;
}

/** One thing that a user does with buildx. */
export interface Story {
  /** A sentence about the user, present tense. */
  readonly name: string;
  /** Versions of buildx that can do it. */
  readonly versions: readonly BuildxVersion[];
  readonly run: (context: StoryContext) => Promise<Outcome>;
  /** What vitest's `toEqual` takes: the outcome, with matchers where it is not known beforehand. */
  readonly expected: unknown;
}

/** Options of {@link tellStory}. */
export interface TellOptions {
  /** Default 300 MiB. */
  readonly bigFileBytes?: number;
  /** Default 120,000. */
  readonly timeoutMs?: number;
}

/** Run one story on one target with a buildx of its own. */
export async function tellStory(
  story: Story,
  lab: Lab,
  target: Target,
  version: BuildxVersion,
  options: TellOptions = {},
): Promise<Outcome> {
  const { address, driverOpts } = target;
  return await story.run({
    buildx: await lab.createBuilder({ version, address, ...(driverOpts && { driverOpts }) }),
    target,
    newFolder: () => lab.newFolder(),
    busybox: lab.tools.busybox,
    nonce: randomBytes(6).toString("hex"),
    bigFileBytes: options.bigFileBytes ?? 300 * 1024 * 1024,
    timeoutMs: options.timeoutMs ?? 120_000,
  });
}

/** Run all stories that a version of buildx can do, one after another; outcomes by name. */
export async function runStories(
  stories: readonly Story[],
  lab: Lab,
  target: Target,
  version: BuildxVersion,
  options: TellOptions = {},
): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const story of stories.filter(({ versions }) => versions.includes(version))) {
    outcomes[story.name] = await tellStory(story, lab, target, version, options);
  }
  return outcomes;
}
