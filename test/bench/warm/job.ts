import type { Lab } from "../../support/lab/lab.ts";
import type { BuildxVersion } from "../../support/lab/tools.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { shuffled } from "../../support/shuffled.ts";
import type { WarmOptions } from "./options.ts";
import { BenchRepository, type BuildOutcome } from "./repository.ts";

/** How the whole job went, once. */
export interface JobOutcome {
  readonly wallMs: number;
  readonly builds: readonly BuildOutcome[];
}

/**
 * Build every repository many times, in a shuffled order, a few at a time.
 *
 * No two builds of one repository run at once, so that each could have found
 * what the one before it left.
 */
export async function runJob(options: WarmOptions, lab: Lab, address: string): Promise<JobOutcome> {
  const indexes = Array.from({ length: options.repositories }, (_, index) => index);
  const repositories = await Promise.all(indexes.map((index) => BenchRepository.create(lab, index)));
  const versions = Object.keys(lab.tools.buildx) as BuildxVersion[];
  const queue = shuffled(
    Array.from({ length: options.repositories * options.builds }, (_, index) => index % options.repositories),
    seededRandom(options.seed),
  );
  const builds: BuildOutcome[] = [];
  const running = new Map<number, Promise<void>>();
  let started = 0;
  const start = (repository: number) => {
    const version = versions[started++ % versions.length]!;
    const build = repositories[repository]!.build(address, version).then((outcome) => {
      builds.push(outcome);
      running.delete(repository);
    });
    running.set(repository, build);
  };
  const startedMs = performance.now();
  while (queue.length > 0 || running.size > 0) {
    const at = running.size < options.workers ? queue.findIndex((repository) => !running.has(repository)) : -1;
    if (at < 0) await Promise.race(running.values());
    else start(queue.splice(at, 1)[0]!);
  }
  return { wallMs: performance.now() - startedMs, builds };
}
