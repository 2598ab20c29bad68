import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { pollUntil } from "./poll.ts";
import { processesBelow, type TreeProcess } from "./process-tree.ts";
import { unref } from "./scratch-dir.ts";

/**
 * First process of the pod: starts the daemons and ends when its standard input does.
 *
 * $1 is the pod's folder, $2 the script that starts the daemons in the background.
 * As process 1 of its namespace it takes every other process with it, and with the last
 * one the mounts go. Its input ends only when whoever started the pod is gone: then it cleans up in its place.
 * containerd's shims keep their sockets in /run/containerd whatever they are told, hence a private one.
 */
const FIRST_PROCESS = `
mkdir -p /run/containerd && mount -t tmpfs tmpfs /run/containerd
eval "$2"
read -r line
kill -9 -1
while read -r _ at _; do
  case $at in "$1"/*) umount -l "$at" ;; esac
done </proc/self/mounts
cd / && rm -rf --one-file-system -- "$1"
`;

/** File in the pod's folder with what its own start complained about. */
export const POD_LOG = "pod.log";

/** What runs in a pod. */
export interface PodOptions {
  /** Its private folder. Removed by the pod itself if this process dies without ending the pod. */
  readonly dir: string;
  /** Shell commands that start daemons in the background, with their output in files. */
  readonly start: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Processes in a PID and mount namespace of their own (needs root).
 *
 * However they end, and even when this process is killed: all of them end
 * together, containers included, and no mount is left.
 */
export class Pod {
  readonly #unshare: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(options: PodOptions) {
    const namespaces = ["--pid", "--fork", "--mount", "--mount-proc", "--kill-child"];
    const log = openSync(join(options.dir, POD_LOG), "a");
    this.#unshare = spawn("unshare", [...namespaces, "sh", "-c", FIRST_PROCESS, "sh", options.dir, options.start], {
      env: options.env,
      stdio: ["pipe", "ignore", log],
      // Out of reach of the terminal's Ctrl-C: who started the pod decides when it ends.
      detached: true,
    });
    closeSync(log);
    this.#exited = once(this.#unshare, "exit");
    this.#unshare.stdin?.on("error", () => {});
    // The pod does not keep a test process alive; its standard input, closed with us, ends it.
    unref(this.#unshare);
  }

  /** Whether it has not ended. */
  get isRunning(): boolean {
    return this.#unshare.exitCode === null && this.#unshare.signalCode === null;
  }

  /** What runs inside, containers included, the pod's first process first. */
  async processes(): Promise<TreeProcess[]> {
    return this.isRunning ? await processesBelow(this.#unshare.pid!) : [];
  }

  /** SIGKILL to everything inside; resolves when the last process and mount are gone. */
  async kill(): Promise<void> {
    this.#unshare.ref();
    if (this.isRunning) {
      const [first] = await this.processes();
      // The namespace dies with its first process; unshare then follows, after all of it.
      process.kill(first?.pid ?? this.#unshare.pid!, "SIGKILL");
    }
    await this.#exited;
  }

  /** SIGTERM to the processes whose command line matches; kill everything once they have ended, or after `graceMs`. */
  async terminate(matching: RegExp, graceMs: number): Promise<void> {
    const chosen = async () => (await this.processes()).filter(({ commandLine }) => matching.test(commandLine));
    for (const { pid } of await chosen()) process.kill(pid, "SIGTERM");
    await pollUntil("end after SIGTERM", async () => (await chosen()).length === 0, { timeoutMs: graceMs }).catch(
      () => {
        // Past its grace: killed below, as a kubelet would.
      },
    );
    await this.kill();
  }

  /** Send a signal to every process inside. */
  async signalAll(signal: "SIGSTOP" | "SIGCONT"): Promise<void> {
    for (const { pid } of await this.processes()) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // It ended between being listed and being signalled.
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
  }
}
