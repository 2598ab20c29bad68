import { join } from "node:path";
import type { DriverOpts } from "../lab/buildx.ts";
import type { CommandResult } from "../lab/command.ts";
import type { Lab } from "../lab/lab.ts";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { checkOut } from "./repository.ts";

/** What keeps on building. */
export interface SteadyLoadOptions {
  readonly lab: Lab;
  readonly address: string;
  /** Asked for before each build. */
  readonly driverOpts?: () => DriverOpts;
  /** Builds that run at the same time, each of a repository of its own. */
  readonly workers: number;
}

/**
 * Builds that keep coming until they are told to stop, each from a new client.
 *
 * Each asks for its metadata file, which makes buildx ask for the build's
 * history and provenance when it is done: that must be answered, too.
 */
export class SteadyLoad {
  readonly #options: SteadyLoadOptions;
  readonly #workers: Promise<void>[];
  readonly #results: CommandResult[] = [];
  #isStopping = false;

  constructor(options: SteadyLoadOptions) {
    this.#options = options;
    this.#workers = Array.from({ length: options.workers }, (_, index) => this.#work(index));
  }

  /** Builds that have ended so far. */
  get ended(): number {
    return this.#results.length;
  }

  /** Start no more; resolves with how all of them ended. */
  async stop(): Promise<readonly CommandResult[]> {
    this.#isStopping = true;
    await Promise.all(this.#workers);
    return this.#results;
  }

  async #work(index: number): Promise<void> {
    const { lab, address, driverOpts = () => ({}) } = this.#options;
    for (let count = 0; !this.#isStopping; count++) {
      const version = BUILDX_VERSIONS[(index + count) % BUILDX_VERSIONS.length]!;
      const buildx = await lab.createBuilder({ version, address, driverOpts: driverOpts() });
      const folder = await checkOut(lab, buildx, `acme/steady-${index}`);
      const metadata = join(folder, "metadata.json");
      const args = ["build", "--output=type=cacheonly", `--metadata-file=${metadata}`, "."];
      this.#results.push(await buildx.run(args, { cwd: folder }));
    }
  }
}
