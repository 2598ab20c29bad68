import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePort } from "./free-port.ts";
import { pollUntil } from "./poll.ts";

/** How a Prometheus is started. */
export interface PrometheusOptions {
  /** The folder with its program. */
  readonly folder: string;
  /** Its private folder. */
  readonly dir: string;
  /** `host:port` of what it scrapes each second. */
  readonly targets: readonly string[];
  /** Groups of rules. */
  readonly groups: unknown;
}

/** One series of an answer. */
export interface QueriedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A real Prometheus on a free port of 127.0.0.1. */
export class LabPrometheus {
  readonly #url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#exited = once(child, "exit");
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** Start it and wait until it is ready. */
  static async start({ folder, dir, targets, groups }: PrometheusOptions): Promise<LabPrometheus> {
    const port = await freePort();
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [join(dir, "rules.yml")],
      scrape_configs: [{ job_name: "buildkit-gateway", static_configs: [{ targets }] }],
    };
    await writeFile(join(dir, "rules.yml"), stringify({ groups }));
    await writeFile(join(dir, "prometheus.yml"), stringify(config));
    const flags = [
      `--config.file=${join(dir, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    const child = spawn("setpriv", ["--pdeathsig", "KILL", join(folder, "prometheus"), ...flags], {
      cwd: dir,
      env: { PATH: process.env.PATH },
      stdio: "ignore",
      detached: true,
    });
    const prometheus = new LabPrometheus(child, port);
    try {
      const isUp = async () => child.exitCode !== null || (await fetch(`${prometheus.#url}/-/ready`)).ok;
      await pollUntil("Prometheus to be ready", isUp, { timeoutMs: 60_000 });
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}`);
      return prometheus;
    } catch (reason) {
      await prometheus.close();
      throw reason;
    }
  }

  /** The series of an expression, as they are now. Rejects with what Prometheus has against it. */
  async query(expression: string): Promise<readonly QueriedSeries[]> {
    const body = new URLSearchParams({ query: expression });
    const response = await fetch(`${this.#url}/api/v1/query`, { method: "POST", body });
    const answer = (await response.json()) as { data?: { result: QueriedSeries[] }; error?: string };
    if (!answer.data) throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result;
  }

  /** Names of the rules that it has evaluated without a fault. */
  async healthyRules(): Promise<string[]> {
    const response = await fetch(`${this.#url}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; health: string }[] }[] };
    };
    return data.groups.flatMap(({ rules }) => rules.filter(({ health }) => health === "ok").map(({ name }) => name));
  }

  /** End it. Any number of times. */
  async close(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}
