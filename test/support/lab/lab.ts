import { setMaxListeners } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { TlsFront } from "./bridge.ts";
import { type BuilderOptions, Buildx } from "./buildx.ts";
import type { DaemonSurroundings } from "./daemon.ts";
import { externalReplica, type LabReplica, startReplica } from "./replica.ts";
import { makeScratchDir, type ScratchDir } from "./scratch-dir.ts";
import type { LabTools } from "./tools.ts";

/** How a lab's replicas start. */
export interface FleetOptions {
  readonly tlsFront?: TlsFront;
  readonly surroundings?: DaemonSurroundings;
}

/**
 * Real BuildKit replicas and real buildx, in a private folder.
 *
 * Whoever opened it closes it. If that does not happen, everything ends and is
 * removed shortly after this process has ended, however it ended.
 */
export class Lab {
  readonly tools: LabTools;
  readonly #scratch: ScratchDir;
  /** Also those that are still starting, so that closing waits for them. */
  readonly #replicas: Promise<LabReplica>[] = [];
  readonly #closing = new AbortController();
  #folders = 0;

  private constructor(tools: LabTools, scratch: ScratchDir) {
    this.tools = tools;
    this.#scratch = scratch;
    // Every running buildx listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  static async open(tools: LabTools): Promise<Lab> {
    return new Lab(tools, await makeScratchDir("bkl-"));
  }

  /** Start `count` more replicas with empty state, named `buildkit-0`, `buildkit-1` and so on. */
  async startReplicas(count: number, options: FleetOptions = {}): Promise<LabReplica[]> {
    const starting = Array.from({ length: count }, (_, index) =>
      this.#startReplica(`buildkit-${index}`, index, options),
    );
    this.#replicas.push(...starting);
    const started = await Promise.allSettled(starting);
    const failed = started.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return await Promise.all(starting);
  }

  /** A builder for an address, with a configuration folder of its own. */
  createBuilder(options: Omit<BuilderOptions, "home" | "abort">): Promise<Buildx> {
    return Buildx.create(this.tools, { ...options, home: this.#newPath("home"), abort: this.#closing.signal });
  }

  /** A new empty folder, removed with the lab. */
  async newFolder(): Promise<string> {
    const path = this.#newPath("w");
    await mkdir(path);
    return path;
  }

  /** End all builds and replicas and remove every folder. Any number of times. */
  async close(): Promise<void> {
    this.#closing.abort();
    const started = await Promise.allSettled(this.#replicas.splice(0));
    await Promise.all(started.map((outcome) => (outcome.status === "fulfilled" ? outcome.value.close() : undefined)));
    await this.#scratch.remove();
  }

  async #startReplica(name: string, index: number, options: FleetOptions): Promise<LabReplica> {
    const source = this.tools.replicas;
    if (source.t !== "external") return await startReplica({ name, source, dir: this.#newPath("r"), ...options });
    const address = source.addresses[index];
    if (!address) throw new Error(`BUILDKIT_ADDRS names ${source.addresses.length} replicas, ${index + 1} are needed`);
    return await externalReplica(name, address);
  }

  #newPath(prefix: string): string {
    this.#folders += 1;
    return join(this.#scratch.path, `${prefix}${this.#folders}`);
  }
}
