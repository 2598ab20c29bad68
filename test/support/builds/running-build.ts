import { randomBytes } from "node:crypto";
import type { Buildx } from "../lab/buildx.ts";
import type { CommandResult } from "../lab/command.ts";
import type { Lab } from "../lab/lab.ts";
import { pollUntil } from "../lab/poll.ts";
import type { LabReplica } from "../lab/replica.ts";
import { makeBuildContext } from "../stories/build-context.ts";
import { makeGitCheckout } from "../stories/git-checkout.ts";

/** What is built, and how its client is ended. */
export interface RunningBuildOptions {
  readonly lab: Lab;
  readonly buildx: Buildx;
  /** All that the build may land on. They must be the lab's own. */
  readonly replicas: readonly LabReplica[];
  /** `acme/app`: the build is made from a checkout of it. Absent: from a plain folder. */
  readonly repository?: string;
  /** What `endClient` sends. Default SIGINT. */
  readonly signal?: NodeJS.Signals;
  /** Ends it if nothing else does. Default 120,000. */
  readonly timeoutMs?: number;
}

/** A build in the middle of a RUN step, which goes on until a test ends it. */
export class RunningBuild {
  /** Who runs it, as its own process table says. */
  readonly replica: LabReplica;
  /** How buildx ended. */
  readonly ended: Promise<CommandResult>;
  readonly #nonce: string;
  readonly #endClient: AbortController;

  private constructor(replica: LabReplica, ended: Promise<CommandResult>, nonce: string, endClient: AbortController) {
    this.replica = replica;
    this.ended = ended;
    this.#nonce = nonce;
    this.#endClient = endClient;
  }

  /** Start it and wait until a replica runs the step. Rejects with buildx's output if it ends before. */
  static async start(options: RunningBuildOptions): Promise<RunningBuild> {
    const { lab, buildx, replicas, repository, signal, timeoutMs } = options;
    const nonce = randomBytes(6).toString("hex");
    const folder = await makeBuildContext(
      { newFolder: () => lab.newFolder(), busybox: lab.tools.busybox },
      `RUN --network=none trap "exit 0" TERM; while :; do echo tick; sleep 0.1; done # ${nonce}\n`,
    );
    if (repository !== undefined) await makeGitCheckout(folder, `https://git.invalid/${repository}.git`, buildx.env);
    const endClient = new AbortController();
    const ended = buildx.run(["build", "--output=type=cacheonly", folder], {
      cwd: folder,
      signalOn: endClient.signal,
      ...(signal && { signal }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    const endedEarly = ended.then(({ exitCode, stderr }) => {
      throw new Error(`buildx ended before its step ran: exit status ${exitCode}\n${stderr.slice(-4_000)}`);
    });
    const replica = await Promise.race([whoRuns(nonce, replicas), endedEarly]);
    return new RunningBuild(replica, ended, nonce, endClient);
  }

  /** Whether its replica still works on it. */
  async isWorkedOn(): Promise<boolean> {
    return (await stepProcess(this.#nonce, this.replica)) !== undefined;
  }

  /** Let the step succeed; resolves when buildx has ended. */
  async finish(): Promise<CommandResult> {
    const pid = await stepProcess(this.#nonce, this.replica);
    if (pid !== undefined) process.kill(pid, "SIGTERM");
    return await this.ended;
  }

  /** Send its client the signal; resolves when it has ended. */
  endClient(): Promise<CommandResult> {
    this.#endClient.abort();
    return this.ended;
  }
}

async function whoRuns(nonce: string, replicas: readonly LabReplica[]): Promise<LabReplica> {
  return await pollUntil(
    "a replica to run the step",
    async () => {
      for (const replica of replicas) if ((await stepProcess(nonce, replica)) !== undefined) return replica;
      return undefined;
    },
    { timeoutMs: 60_000 },
  );
}

/** The step's shell, first of its container: the runtime that makes the container shows the same words before it. */
async function stepProcess(nonce: string, replica: LabReplica): Promise<number | undefined> {
  const processes = await replica.processes();
  return processes.find(({ commandLine }) => commandLine.startsWith("/bin/sh -c") && commandLine.includes(nonce))?.pid;
}
