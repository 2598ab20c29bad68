/** A part of the program that is given random inputs. */
export interface FuzzTarget {
  /** In kebab-case, as its file. */
  readonly name: TargetName;
  /** Longest input. */
  readonly maxInputBytes: number;
  /** Inputs of the short run in CI. */
  readonly shortRunInputs: number;
  /**
   * Source files whose code the inputs are to reach, from the source folder.
   * Inputs that reach new code of theirs are kept and mutated. Empty: inputs are
   * drawn, not guided.
   */
  readonly sources: readonly string[];
  /** Inputs to begin with. */
  readonly seeds?: readonly Buffer[];
  /** What is put into inputs now and then. */
  readonly tokens?: readonly Buffer[];
  /** An input that takes longer than this, and as much of the processor, is a finding. Default 1,000. */
  readonly slowMs?: number;
  /** An input that takes longer than this has hung. Default 30,000. */
  readonly hangMs?: number;
  /** What memory may grow by over the whole run. Default 64 MiB. */
  readonly maxGrowthBytes?: number;
  /** Make what the inputs are run on. */
  open(): OpenTarget | Promise<OpenTarget>;
}

/** A target that takes inputs. */
export interface OpenTarget {
  /** Throws, or rejects, where the outcome is not what an independent judge says it is. */
  run(input: Buffer): void | Promise<void>;
  /** Let go of everything. */
  close?(): void | Promise<void>;
}

/** Something that can be fuzzed but not here, such as for want of a program. */
export class TargetUnavailable extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "TargetUnavailable";
  }
}

/** All targets, in the order of the report. */
export const TARGET_NAMES = [
  "frames",
  "hpack",
  "hpack-nghttp2",
  "solve",
  "messages",
  "texts",
  "config",
  "admin",
  "switch",
  "calls",
  "calls-nghttp2",
] as const;

export type TargetName = (typeof TARGET_NAMES)[number];

/**
 * Load a target. Only when it is asked for: what is measured must not have
 * been loaded before the measurement began.
 */
export async function loadTarget(name: TargetName): Promise<FuzzTarget> {
  const loaded = (await import(`./targets/${name}.ts`)) as { readonly target: FuzzTarget };
  return loaded.target;
}
