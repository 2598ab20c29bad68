import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { LogLines } from "./log-lines.ts";

/** What `npm run build` makes. */
const PROGRAM = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));

/** How a gateway is started. */
export interface GatewayOptions {
  /** The program, with what must stand before its arguments. Default: the one that `npm run build` makes. */
  readonly program?: readonly string[];
  readonly replicas?: readonly { readonly name: string; readonly address: string }[];
  /** More flags of `serve`. */
  readonly flags?: readonly string[];
  /** Settings that have no flag, by the names of their variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: string;
  /** Where the admin port is. Default: a free port of 127.0.0.1. */
  readonly admin?: string;
  /** `sidecar` takes its flags alone: the gateway that it passes calls on to is one of them. Default `serve`. */
  readonly command?: "serve" | "sidecar";
  /** When it counts as started: all these replicas take builds, or clients may connect. Default `ready`. */
  readonly until?: "ready" | "serving";
}

/** How the admin port is asked. */
export interface AdminQuestion {
  readonly method?: string;
  readonly token?: string;
}

/** What the admin port says. */
export interface AdminAnswer {
  readonly status: number;
  readonly text: string;
}

/** What an autoscaler reads; null where there is no limit. */
export interface GatewayLoad {
  readonly queued: number;
  readonly running: number;
  readonly capacity: number | null;
  readonly wanted: number | null;
  readonly readyReplicas: number;
}

/** The built program, running as users run it. */
export class GatewayProcess {
  /** Its log, from `debug` on. */
  readonly lines = new LogLines();
  /** Resolves with the exit status once it has ended; `null` where a signal ended it. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  #addresses: { readonly listening: readonly string[]; readonly admin: string } = { listening: [], admin: "" };
  #log = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
      this.lines.write(text);
    });
    this.exited = once(child, "close").then(([status]) => {
      this.lines.end("the gateway has ended");
      return status;
    });
  }

  /** Start it and wait until it is of use. */
  static async start(options: GatewayOptions): Promise<GatewayProcess> {
    const serve = [
      ...(options.program ?? [process.execPath, PROGRAM]),
      options.command ?? "serve",
      `--listen=${options.listen ?? "tcp://127.0.0.1:0"}`,
      `--admin=${options.admin ?? "127.0.0.1:0"}`,
      "--log-level=debug",
      ...(options.replicas ?? []).map(({ name, address }) => `--replica=${name}=${address}`),
      ...(options.flags ?? []),
    ];
    // It must not outlive a killed test run, and a terminal's Ctrl-C is not meant for it.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...serve], {
      env: { PATH: process.env.PATH, ...options.env },
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const gateway = new GatewayProcess(child);
    try {
      const { listening, admin } = await gateway.lines.next("serving");
      gateway.#addresses = { listening: listening as string[], admin: (admin as string).replace("tcp://", "") };
      if (options.until !== "serving") await gateway.#ready(options.replicas ?? []);
      return gateway;
    } catch (cause) {
      await gateway.kill();
      throw new Error(`the gateway did not start:\n${gateway.log.slice(-4_000)}`, { cause });
    }
  }

  async #ready(replicas: readonly { readonly name: string }[]): Promise<void> {
    for (const { name } of replicas) await this.lines.next("replica state changed", { replica: name, to: "ready" });
  }

  /** Where clients connect, for buildx. */
  get address(): string {
    return this.#addresses.listening[0]!;
  }

  /** All addresses, those of pools after the common ones. */
  get addresses(): readonly string[] {
    return this.#addresses.listening;
  }

  /** `127.0.0.1:port` */
  get adminAddress(): string {
    return this.#addresses.admin;
  }

  /** Process id, for measurements. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** All that it wrote to standard error. */
  get log(): string {
    return this.#log;
  }

  /** What `/readyz` says. */
  readyz(): Promise<AdminAnswer> {
    return this.ask("/readyz");
  }

  /** Ask the admin port; `token` is sent as a bearer's. */
  ask(path: string, { method = "GET", token }: AdminQuestion = {}): Promise<AdminAnswer> {
    return new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      request(`http://${this.adminAddress}${path}`, { method, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode!, text }));
      })
        .on("error", reject)
        .end();
    });
  }

  /** What `/load` says. */
  async load(): Promise<GatewayLoad> {
    return JSON.parse((await this.ask("/load")).text);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Send SIGTERM; resolves with the exit status once it has ended by itself. */
  terminate(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.exited;
  }

  /** End it at once. Any number of times. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }
}
