import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts";
import type { BuildxVersion, LabTools } from "./tools.ts";

/** Options of buildx's remote driver: `cacert`, `cert`, `key`, `servername`. */
export type DriverOpts = Readonly<Partial<Record<"cacert" | "cert" | "key" | "servername", string>>>;

/** A builder to create: one remote endpoint. */
export interface BuilderOptions {
  readonly version: BuildxVersion;
  /** `tcp://host:port` */
  readonly address: string;
  readonly driverOpts?: DriverOpts;
  /** A new folder of its own: a fresh runner's home. */
  readonly home: string;
  /** Ends whatever it runs. */
  readonly abort?: AbortSignal;
}

/** One more node of a builder. */
export interface NodeOptions {
  readonly name: string;
  /** `linux/arm64` */
  readonly platform: string;
  /** `tcp://host:port` */
  readonly address: string;
  readonly driverOpts?: DriverOpts;
}

/** What a run of buildx may change. */
export type BuildxRunOptions = Omit<CommandOptions, "env"> & {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
};

const BUILDER_NAME = "lab";

/** A stock buildx with one remote builder, as a fresh machine without Docker would have it. */
export class Buildx {
  readonly version: BuildxVersion;
  /** For a person who wants to use the same builder from a shell. */
  readonly env: Readonly<Record<string, string>>;
  readonly file: string;
  readonly #abort: AbortSignal | undefined;

  private constructor(file: string, env: Readonly<Record<string, string>>, options: BuilderOptions) {
    this.version = options.version;
    this.file = file;
    this.env = env;
    this.#abort = options.abort;
  }

  /** Create the builder. Needs no connection: buildx connects with the first command. */
  static async create(tools: LabTools, options: BuilderOptions): Promise<Buildx> {
    const file = tools.buildx[options.version];
    if (!file) throw new Error(`buildx ${options.version} is not to be had here`);
    const temporary = join(options.home, "tmp");
    await mkdir(temporary, { recursive: true });
    const env = {
      PATH: process.env.PATH ?? "",
      ...tools.gitEnv,
      HOME: options.home,
      // It leaves the Dockerfiles of a bake file there.
      TMPDIR: temporary,
      BUILDX_CONFIG: join(options.home, "buildx"),
      DOCKER_CONFIG: join(options.home, "docker"),
      // No Docker here: buildx must not find one that happens to run.
      DOCKER_HOST: "unix:///nonexistent",
      BUILDX_BUILDER: BUILDER_NAME,
      BUILDKIT_PROGRESS: "plain",
      NO_COLOR: "1",
    };
    const buildx = new Buildx(file, env, options);
    await buildx.#createNode(options.address, options.driverOpts ?? {}, []);
    return buildx;
  }

  /** Make the builder one of several nodes: one more, that builds for `platform` whatever its workers say. */
  async appendNode(node: NodeOptions): Promise<void> {
    const { name, platform, address, driverOpts = {} } = node;
    await this.#createNode(address, driverOpts, ["--append", `--node=${name}`, `--platform=${platform}`]);
  }

  async #createNode(address: string, driverOpts: DriverOpts, more: readonly string[]): Promise<void> {
    const opts = Object.entries(driverOpts).map(([name, value]) => `--driver-opt=${name}=${value}`);
    await this.mustRun(["create", "--name", BUILDER_NAME, "--driver", "remote", ...more, ...opts, address]);
  }

  /** Run `buildx <args>`; a status other than 0 is a result. */
  run(args: readonly string[], options: BuildxRunOptions = {}): Promise<CommandResult> {
    const abort = this.#abort && { abort: this.#abort };
    return runCommand(this.file, args, { ...abort, ...options, env: { ...this.env, ...options.env } });
  }

  /** As {@link run}, but a status other than 0 throws, with the end of the output. */
  async mustRun(args: readonly string[], options: BuildxRunOptions = {}): Promise<CommandResult> {
    const result = await this.run(args, options);
    if (result.exitCode === 0) return result;
    throw new Error(`buildx ${args.join(" ")}: exit status ${result.exitCode}\n${result.stderr.slice(-4_000)}`);
  }
}
