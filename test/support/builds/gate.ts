import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Buildx, BuildxRunOptions } from "../lab/buildx.ts";
import type { Lab } from "../lab/lab.ts";
import { processesBelow } from "../lab/process-tree.ts";
import { makeBuildContext } from "../stories/build-context.ts";
import { makeGitCheckout } from "../stories/git-checkout.ts";
import { BuildxRun } from "./buildx-run.ts";

/** Which build of a gate's is meant. */
export interface GatedBuildOptions {
  readonly buildx: Buildx;
  /** `acme/app`: what it is a checkout of. */
  readonly repository: string;
  /** Its build argument `LABEL`: different for each, so that none can share another's work. */
  readonly label: string;
  /** More flags of `buildx build`. */
  readonly flags?: readonly string[];
  readonly run?: Omit<BuildxRunOptions, "onOutput" | "signalOn" | "cwd">;
}

const LOOK_INTERVAL_MS = 100;

/** Any number of builds of any repositories, none of which goes past its RUN step until the gate is open. */
export class Gate {
  readonly #lab: Lab;
  readonly #mark = `gate ${randomBytes(6).toString("hex")}`;
  readonly #checkouts = new Map<string, Promise<string>>();
  #state: { readonly t: "shut" } | { readonly t: "open" } | { readonly t: "removed" } = { t: "shut" };

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Start a build, which waits in the queue or in its RUN step. */
  async start({ buildx, repository, label, flags = [], run = {} }: GatedBuildOptions): Promise<BuildxRun> {
    const folder = await this.#checkout(repository, buildx);
    const args = ["build", "--output=type=cacheonly", `--build-arg=LABEL=${label}`, ...flags, folder];
    return new BuildxRun(buildx, args, { timeoutMs: 300_000, ...run, cwd: folder });
  }

  /** How many of its builds are in their RUN step. */
  async waiting(): Promise<number> {
    return (await this.#steps()).length;
  }

  /** Let the steps succeed, those that wait and those that come, until it is removed. */
  open(): void {
    if (this.#state.t !== "shut") return;
    this.#state = { t: "open" };
    void this.#endSteps();
  }

  /** Look at no step any more. Any number of times. */
  remove(): void {
    this.#state = { t: "removed" };
  }

  async #endSteps(): Promise<void> {
    while (this.#state.t === "open") {
      // Again and again: a shell that has not set its trap yet, as the first process of its namespace, gets no signal.
      for (const pid of await this.#steps()) {
        try {
          process.kill(pid, "SIGTERM");
        } catch (error) {
          // It ended between being listed and being signalled.
          if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
        }
      }
      await delay(LOOK_INTERVAL_MS);
    }
  }

  /** The steps' shells; the runtime that makes a container shows the same words before it. */
  async #steps(): Promise<number[]> {
    const processes = await processesBelow(process.pid);
    return processes
      .filter(({ commandLine }) => commandLine.startsWith("/bin/sh -c") && commandLine.includes(this.#mark))
      .map(({ pid }) => pid);
  }

  #checkout(repository: string, buildx: Buildx): Promise<string> {
    const known = this.#checkouts.get(repository) ?? this.#checkOut(repository, buildx);
    this.#checkouts.set(repository, known);
    return known;
  }

  async #checkOut(repository: string, { env }: Buildx): Promise<string> {
    const folder = await makeBuildContext(
      { newFolder: () => this.#lab.newFolder(), busybox: this.#lab.tools.busybox },
      `ARG LABEL
RUN --network=none trap "exit 0" TERM; while :; do sleep 0.1; done # ${this.#mark}
`,
    );
    await makeGitCheckout(folder, `https://git.invalid/${repository}.git`, env);
    return folder;
  }
}
