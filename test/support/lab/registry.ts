import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { IssuedCertificate } from "./certificates.ts";
import { freePort } from "./free-port.ts";
import { pollUntil } from "./poll.ts";

/** How a registry is started. */
export interface RegistryOptions {
  /** docker-registry's program. */
  readonly file: string;
  /** Its private folder; its images go there. */
  readonly dir: string;
  /** `cert` holds the chain that it sends. */
  readonly tls: IssuedCertificate;
  /** Who gives out the tokens that it asks for. Absent: it is open to everybody. */
  readonly tokens?: {
    readonly realm: string;
    readonly issuer: string;
    readonly service: string;
    readonly cert: string;
  };
}

/** Docker's registry behind TLS, empty at first, on a free port of 127.0.0.1. */
export class LabRegistry {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.port = port;
  }

  /** Start it and wait until it takes connections. */
  static async start({ file, dir, tls, tokens }: RegistryOptions): Promise<LabRegistry> {
    const port = await freePort();
    const path = (name: string) => join(dir, name);
    await writeFile(path("cert.pem"), tls.cert);
    await writeFile(path("key.pem"), tls.key);
    if (tokens) await writeFile(path("tokens.pem"), tokens.cert);
    const { realm, issuer, service } = tokens ?? {};
    const config = {
      version: 0.1,
      log: { level: "error", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: path("images") } },
      http: { addr: `127.0.0.1:${port}`, tls: { certificate: path("cert.pem"), key: path("key.pem") } },
      ...(tokens && { auth: { token: { realm, issuer, service, rootcertbundle: path("tokens.pem") } } }),
    };
    // JSON is YAML, too.
    await writeFile(path("config.yml"), JSON.stringify(config));
    const child = spawn("setpriv", ["--pdeathsig", "KILL", file, "serve", path("config.yml")], {
      env: { PATH: process.env.PATH },
      stdio: "ignore",
      detached: true,
    });
    const registry = new LabRegistry(child, port);
    try {
      const accepts = async () => child.exitCode !== null || (await isOpen(port));
      await pollUntil("docker-registry to listen", accepts, { timeoutMs: 30_000, intervalMs: 20 });
      if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
      return registry;
    } catch (reason) {
      await registry.close();
      throw reason;
    }
  }

  /** End it. Any number of times. */
  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
