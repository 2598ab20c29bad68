import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";
import { pollUntil } from "./poll.ts";

/** What `npm run build` makes. */
const PROGRAM = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));

/** How a gateway is started. */
export interface GatewayOptions {
  readonly replicas: readonly { readonly name: string; readonly address: string }[];
  /** More flags of `serve`. */
  readonly flags?: readonly string[];
  /** The port to listen on. Default: a free one. */
  readonly port?: number;
}

/** The built program, running as users run it. */
export class GatewayProcess {
  /** `tcp://127.0.0.1:port`, for buildx. */
  readonly address: string;
  /** `127.0.0.1:port` */
  readonly adminAddress: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #log = "";

  private constructor(child: ChildProcess, port: number, adminPort: number) {
    this.address = `tcp://127.0.0.1:${port}`;
    this.adminAddress = `127.0.0.1:${adminPort}`;
    this.#child = child;
    this.#exited = once(child, "close");
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log += text;
    });
  }

  /** Start it and wait until `/readyz` says so: a replica has answered. */
  static async start(options: GatewayOptions): Promise<GatewayProcess> {
    const port = options.port ?? (await freePort());
    const adminPort = await freePort();
    const serve = [
      process.execPath,
      PROGRAM,
      "serve",
      `--listen=tcp://127.0.0.1:${port}`,
      `--admin=127.0.0.1:${adminPort}`,
      ...options.replicas.map(({ name, address }) => `--replica=${name}=${address}`),
      ...(options.flags ?? []),
    ];
    // It must not outlive a killed test run, and a terminal's Ctrl-C is not meant for it.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...serve], {
      env: { PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const gateway = new GatewayProcess(child, port, adminPort);
    try {
      await pollUntil("the gateway to be ready", () => gateway.isReady(), { timeoutMs: 20_000 });
      return gateway;
    } catch (cause) {
      const log = gateway.log;
      await gateway.kill();
      throw new Error(`the gateway did not get ready:\n${log.slice(-4_000)}`, { cause });
    }
  }

  /** Process id, for measurements. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Its log so far: one JSON object a line. */
  get log(): string {
    return this.#log;
  }

  /** Whether `/readyz` answers 200. */
  isReady(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      get(`http://${this.adminAddress}/readyz`, { agent: false }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode === 200));
      }).on("error", reject);
    });
  }

  /** Send SIGTERM; resolves with the exit status once it has ended by itself. */
  async terminate(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    await this.#exited;
    return this.#child.exitCode;
  }

  /** End it at once. Any number of times. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
