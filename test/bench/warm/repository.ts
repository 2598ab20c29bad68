import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "../../support/lab/lab.ts";
import type { BuildxVersion } from "../../support/lab/tools.ts";
import { makeBuildContext } from "../../support/stories/build-context.ts";
import { makeGitCheckout } from "../../support/stories/git-checkout.ts";

/**
 * What the slow layer takes, wherever it runs.
 *
 * It waits instead of computing: replicas have machines of their own, and here
 * they share one, where more of them at work would be slower.
 */
const SLOW_LAYER_S = 2.5;

/** How one build went. */
export interface BuildOutcome {
  readonly repository: number;
  /** No build of its repository was before it: it cannot be warm. */
  readonly isFirst: boolean;
  /** Its slow layer came from the cache. */
  readonly isWarm: boolean;
  readonly durationMs: number;
  /** Last line of buildx's output, where it failed. */
  readonly failure?: string;
}

/** A checkout whose builds share a slow first layer and differ in their last one. */
export class BenchRepository {
  readonly #lab: Lab;
  readonly #index: number;
  readonly #folder: string;
  #builds = 0;

  private constructor(lab: Lab, index: number, folder: string) {
    this.#lab = lab;
    this.#index = index;
    this.#folder = folder;
  }

  static async create(lab: Lab, index: number): Promise<BenchRepository> {
    const folder = await makeBuildContext(
      { newFolder: () => lab.newFolder(), busybox: lab.tools.busybox },
      `RUN --network=none sleep ${SLOW_LAYER_S} && echo "of app-${index}" >/dependencies
COPY source /source
RUN --network=none cat /source >/app
`,
      { source: "" },
    );
    await makeGitCheckout(folder, `https://git.invalid/acme/app-${index}.git`, lab.tools.gitEnv);
    return new BenchRepository(lab, index, folder);
  }

  /** Change the source and build, as a fresh machine would. */
  async build(address: string, version: BuildxVersion): Promise<BuildOutcome> {
    this.#builds += 1;
    const isFirst = this.#builds === 1;
    await writeFile(join(this.#folder, "source"), `change ${this.#builds}\n`);
    const buildx = await this.#lab.createBuilder({ version, address });
    const args = ["build", "--output=type=cacheonly", this.#folder];
    const { exitCode, stderr, durationMs } = await buildx.run(args, { cwd: this.#folder });
    return {
      repository: this.#index,
      isFirst,
      isWarm: isCached(stderr, `sleep ${SLOW_LAYER_S} `),
      durationMs,
      ...(exitCode !== 0 && { failure: stderr.trimEnd().split("\n").at(-1)! }),
    };
  }
}

/** Whether plain progress says `CACHED` of the step whose title has `text` in it. */
function isCached(progress: string, text: string): boolean {
  const lines = progress.split("\n");
  const title = lines.find((line) => /^#\d+ \[/.test(line) && line.includes(text));
  return title !== undefined && lines.includes(`${title.split(" ")[0]} CACHED`);
}
