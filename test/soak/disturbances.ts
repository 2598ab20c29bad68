import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import type { Loss } from "./build-books.ts";
import { Course } from "./course.ts";
import type { ServerCertificate } from "./server-certificate.ts";

/** What is disturbed. */
export interface DisturbancesOptions {
  readonly gateway: GatewayProcess;
  /** Of the gateway's admin port. */
  readonly token: string;
  readonly replicas: readonly LabReplica[];
  readonly certificate: ServerCertificate;
  readonly seed: number;
  readonly ending: AbortSignal;
}

/** What is done to the fleet and to the gateway, in turn. */
const KINDS = ["kill", "terminate", "freeze", "replace", "certificate"] as const;

type Kind = (typeof KINDS)[number];

/** A replica that comes back is to take builds again within this time. */
const RETURN_TIMEOUT_MS = 60_000;

/** How long an operator waits for a drained replica to be idle. */
const DRAIN_WAIT = "30s";

/** One disturbance after another, each kind as often as any other, on one replica at a time. */
export class Disturbances {
  /** Times at which builds of a replica were lost. */
  readonly losses: Loss[] = [];
  /** Times at which a replica did not answer, lost or not. */
  readonly silences: Loss[] = [];
  readonly counts: Record<Kind | "replace in vain", number> = {
    kill: 0,
    terminate: 0,
    freeze: 0,
    replace: 0,
    "replace in vain": 0,
    certificate: 0,
  };
  readonly #options: DisturbancesOptions;
  readonly #loop: Promise<void>;

  constructor(options: DisturbancesOptions) {
    this.#options = options;
    this.#loop = this.#run(new Course(options.seed + 1_000, options.ending));
  }

  /** Resolves when the last one is over; rejects where a replica did not come back. */
  ended(): Promise<void> {
    return this.#loop;
  }

  async #run(course: Course): Promise<void> {
    await course.pause(1_000, 3_000);
    while (!course.isOver) {
      for (const kind of course.shuffled(KINDS)) {
        if (course.isOver) return;
        const [replica] = course.shuffled(this.#options.replicas);
        await this.#disturb(kind, replica!, course);
        await course.pause(1_000, 6_000);
      }
    }
  }

  async #disturb(kind: Kind, replica: LabReplica, course: Course): Promise<void> {
    this.counts[kind]++;
    switch (kind) {
      case "kill":
        await this.#lose(replica, course, () => replica.kill9());
        return;
      case "terminate":
        await this.#lose(replica, course, () => replica.stop());
        return;
      case "freeze":
        await this.#silence(replica, async () => {
          await replica.freeze();
          await course.pause(500, 4_000);
          await replica.thaw();
        });
        return;
      case "replace":
        await this.#replace(replica);
        return;
      case "certificate": {
        const { gateway, certificate } = this.#options;
        const from = gateway.lines.all.length;
        await certificate.renew();
        await gateway.lines.next("certificates replaced", {}, from);
      }
    }
  }

  async #lose(replica: LabReplica, course: Course, end: () => Promise<void>): Promise<void> {
    const fromMs = Date.now();
    await this.#silence(replica, async () => {
      await end();
      await course.pause(0, 2_000);
      await replica.restart();
    });
    this.losses.push({ replica: replica.name, fromMs, toMs: Date.now() });
  }

  /** As an operator does it: no build is lost. */
  async #replace(replica: LabReplica): Promise<void> {
    const { gateway, token } = this.#options;
    const path = `/drain/${replica.name}`;
    const change = async (method: "POST" | "DELETE") => {
      const { status, text } = await gateway.ask(path, { method, token });
      if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    };
    await change("POST");
    const { status } = await gateway.ask(`${path}?wait=${DRAIN_WAIT}`);
    await this.#silence(replica, async () => {
      if (status === 200) {
        await replica.stop();
        await replica.restart();
      } else {
        this.counts["replace in vain"]++;
      }
      await change("DELETE");
    });
  }

  async #silence(replica: LabReplica, act: () => Promise<void>): Promise<void> {
    const fromMs = Date.now();
    await act();
    await this.#takesBuilds(replica.name);
    this.silences.push({ replica: replica.name, fromMs, toMs: Date.now() });
  }

  async #takesBuilds(name: string): Promise<void> {
    const isReady = async () => {
      const { text } = await this.#options.gateway.ask("/drain");
      const { replicas } = JSON.parse(text) as { replicas: readonly { replica: string; state: string }[] };
      return replicas.some(({ replica, state }) => replica === name && state === "ready");
    };
    await pollUntil(`${name} to take builds again`, isReady, { timeoutMs: RETURN_TIMEOUT_MS, intervalMs: 100 });
  }
}
