import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeBakeFile } from "../support/builds/bake-file.ts";
import type { Buildx, DriverOpts } from "../support/lab/buildx.ts";
import type { CommandResult } from "../support/lab/command.ts";
import type { Lab } from "../support/lab/lab.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";
import { makeGitCheckout } from "../support/stories/git-checkout.ts";
import type { RanBuild } from "./build-books.ts";
import { Course } from "./course.ts";

/** Who builds, and where. */
export interface RealBuildsOptions {
  readonly lab: Lab;
  readonly address: string;
  /** For clients that speak TLS. */
  readonly driverOpts: DriverOpts;
  readonly workers: number;
  readonly seed: number;
  readonly ending: AbortSignal;
}

/** A command of buildx's that builds nothing. */
export interface Question {
  readonly command: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly exitCode: number;
  readonly message: string;
}

/** What a worker does next, and how often. */
const ACTS = { build: 60, "build and export": 15, bake: 10, "build that fails": 10, ask: 10 };

type Act = keyof typeof ACTS;

/** Questions about the whole fleet. */
const QUESTIONS = { du: 3, inspect: 3, ls: 2, "prune --all --force": 1 };

/** Share of builds whose client is stopped in the middle. */
const STOPPED_SHARE = 0.25;

/** Git repositories that builds are of, each with a cache of its own. */
const REPOSITORIES = 6;

const BAKE_TARGETS = ["one", "two"];

/** Time that a command may take; more is a finding. */
const PATIENCE_MS = 120_000;

/** Its one step takes SECONDS, has no cache, and may fail. */
const DOCKERFILE = `ARG LABEL TARGET=""
ARG SECONDS=0 STATUS=0
RUN --network=none echo "$LABEL $TARGET"; sleep "$SECONDS"; exit "$STATUS"
`;

/** Real buildx clients that build again and again: small builds of several repositories, some of which are stopped. */
export class RealBuilds {
  readonly builds: RanBuild[] = [];
  readonly questions: Question[] = [];
  readonly #options: RealBuildsOptions;
  readonly #checkouts: readonly string[];
  readonly #loops: Promise<void>[];

  private constructor(options: RealBuildsOptions, checkouts: readonly string[]) {
    this.#options = options;
    this.#checkouts = checkouts;
    this.#loops = Array.from({ length: options.workers }, (_, index) => this.#work(index));
  }

  /** Check the repositories out and begin to build. */
  static async start(options: RealBuildsOptions): Promise<RealBuilds> {
    const { lab } = options;
    const checkouts: string[] = [];
    for (let number = 0; number < REPOSITORIES; number++) {
      const context = { newFolder: () => lab.newFolder(), busybox: lab.tools.busybox };
      const folder = await makeBuildContext(context, DOCKERFILE);
      await writeBakeFile(folder, BAKE_TARGETS);
      const env = { PATH: process.env.PATH ?? "", HOME: folder, ...lab.tools.gitEnv };
      await makeGitCheckout(folder, `https://git.invalid/soak/app-${number}.git`, env);
      checkouts.push(folder);
    }
    return new RealBuilds(options, checkouts);
  }

  /** Resolves when the last client has ended; rejects where one had no end. */
  async ended(): Promise<void> {
    await Promise.all(this.#loops);
  }

  async #work(index: number): Promise<void> {
    const { lab, address, seed, ending, driverOpts } = this.#options;
    const course = new Course(seed + 100 + index, ending);
    const version = BUILDX_VERSIONS[index % BUILDX_VERSIONS.length]!;
    const isTls = index % 3 === 1;
    const buildx = await lab.createBuilder({ version, address, ...(isTls && { driverOpts }) });
    const exported = await lab.newFolder();
    for (let count = 0; !course.isOver; count++) {
      const act = course.pick(ACTS);
      if (act === "ask") await this.#ask(buildx, course);
      else await this.#build({ buildx, act, course, exported, name: `${index}.${count}` });
      await course.pause(0, 300);
    }
  }

  async #ask(buildx: Buildx, course: Course): Promise<void> {
    const command = course.pick(QUESTIONS);
    const fromMs = Date.now();
    const { exitCode, stderr } = await buildx.run(command.split(" "), { timeoutMs: PATIENCE_MS });
    this.questions.push({ command, fromMs, toMs: Date.now(), exitCode, message: lastLine(stderr) });
  }

  async #build({ buildx, act, course, exported, name }: Turn): Promise<void> {
    const folder = this.#checkouts[Math.floor(course.between(0, REPOSITORIES))]!;
    const stop = course.chance(STOPPED_SHARE) ? AbortSignal.timeout(Math.round(course.between(50, 2_500))) : undefined;
    const signal = course.chance(0.5) ? "SIGINT" : "SIGKILL";
    const isBroken = act === "build that fails";
    const settings = [
      `LABEL=${this.#options.seed}.${name}`,
      `SECONDS=${course.between(0, 1.2).toFixed(2)}`,
      `STATUS=${isBroken ? 1 : 0}`,
    ];
    const fromMs = Date.now();
    const result = await buildx.run(commandOf(act, settings, exported), {
      cwd: folder,
      timeoutMs: PATIENCE_MS,
      ...(stop && { signalOn: stop, signal }),
    });
    const isStopped = result.signalToExitMs !== undefined;
    this.builds.push({
      client: `buildx ${buildx.version} ${name}, ${act}${isStopped ? `, ${signal}` : ""}`,
      refs: await takeRefs(buildx),
      fromMs,
      toMs: Date.now(),
      wish: isStopped ? "to leave it" : isBroken ? "failure" : "success",
      isBroken,
      told: heard(result),
      message: result.exitCode === 0 ? "" : lastLine(result.stderr),
    });
    await rm(exported, { recursive: true, force: true });
  }
}

interface Turn {
  readonly buildx: Buildx;
  readonly act: Exclude<Act, "ask">;
  readonly course: Course;
  /** Folder that results are exported to. */
  readonly exported: string;
  readonly name: string;
}

function commandOf(act: Turn["act"], settings: readonly string[], exported: string): string[] {
  if (act === "bake") return ["bake", ...settings.map((setting) => `--set=*.args.${setting}`)];
  const output = act === "build and export" ? `type=local,dest=${exported}` : "type=cacheonly";
  return ["build", `--output=${output}`, ...settings.map((setting) => `--build-arg=${setting}`), "."];
}

function heard({ exitCode }: CommandResult): RanBuild["told"] {
  if (exitCode === 0) return "success";
  return exitCode === 128 + 9 ? "nothing" : "failure";
}

/**
 * The refs that buildx has given since they were last taken. It writes one down
 * before it sends the Solve (docker/buildx localstate/localstate.go).
 */
async function takeRefs({ env }: Buildx): Promise<string[]> {
  const folder = join(env.BUILDX_CONFIG!, "refs", env.BUILDX_BUILDER!);
  const nodes = await readdir(folder).catch(() => []);
  const refs = await Promise.all(nodes.map((node) => readdir(join(folder, node))));
  await rm(join(env.BUILDX_CONFIG!, "refs"), { recursive: true, force: true });
  return refs.flat();
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
