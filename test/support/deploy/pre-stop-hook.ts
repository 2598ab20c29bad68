import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../lab/command.ts";
import { type KubeObject, mountedFile, type Part, podTemplate } from "./manifests.ts";

/** What a hook is run with. */
export interface HookOptions {
  /** Its folder, empty. */
  readonly folder: string;
  /** The programs of the image: a static busybox. */
  readonly busybox: string;
  /** Programs in the place of busybox's, by their names. */
  readonly others?: Readonly<Record<string, string>>;
}

/** How the hook ended. */
export interface HookResult {
  readonly exitCode: number;
  readonly durationMs: number;
  /** What the pod's log would show of it. */
  readonly log: string;
}

const APPLETS = ["sh", "wget", "timeout", "sed", "date", "sleep", "hostname"];

/** The preStop command of the replicas, as it is in the manifests, to be run on this machine with busybox alone. */
export class PreStopHook {
  readonly #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;

  readonly #log: string;

  private constructor(command: readonly string[], env: Readonly<Record<string, string>>, log: string) {
    this.#command = command;
    this.#env = env;
    this.#log = log;
  }

  /** Take the command, its script and its variables out of rendered manifests. */
  static async extract(
    objects: readonly KubeObject[],
    { folder, busybox, others = {} }: HookOptions,
  ): Promise<PreStopHook> {
    const pod = podTemplate(objects, "buildkit");
    const [container] = pod.spec.containers;
    const [, script] = container.lifecycle.preStop.exec.command as [string, string];
    const path = join(folder, "bin");
    await mkdir(path);
    for (const applet of APPLETS) await symlink(others[applet] ?? busybox, join(path, applet));
    await writeFile(join(folder, "hook"), mountedFile(objects, pod, script));
    const env = (container.env as Part[]).filter(({ value }) => value !== undefined);
    const variables = { ...Object.fromEntries(env.map(({ name, value }) => [name, value])), PATH: path };
    return new PreStopHook([join(path, "sh"), join(folder, "hook")], variables, join(folder, "log"));
  }

  /** Run it for a replica; resolves when the kubelet would send SIGTERM. `env` wins over the manifest's. */
  async run(replica: string, env: Readonly<Record<string, string>>): Promise<HookResult> {
    const [file, ...args] = this.#command as [string, ...string[]];
    const log = `${this.#log}-${replica}`;
    const { exitCode, durationMs } = await runCommand(file, args, {
      env: { ...this.#env, DRAIN_LOG: log, POD_NAME: replica, ...env },
      timeoutMs: 180_000,
    });
    return { exitCode, durationMs, log: await readFile(log, "utf8") };
  }
}
