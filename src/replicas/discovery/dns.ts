import { lookup, resolveSrv } from "node:dns/promises";
import { hostPort } from "../../base/address.ts";
import type { Cancel, Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Endpoint } from "../replica.ts";
import type { Discovery, DiscoveryStatus } from "./discovery.ts";

/** The part of `node:dns/promises` Resolver that is used. */
export interface DnsResolver {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  resolveSrv(name: string): Promise<{ name: string; port: number }[]>;
}

/** What to look up, and how often. */
export interface DnsDiscoveryOptions {
  readonly name: string;
  /** Port of every A and AAAA address. Absent: the name's SRV records are taken, which carry ports. */
  readonly port?: number;
  /** Time between two look-ups. Default 5,000. */
  readonly refreshMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default {@link systemResolver}. */
  readonly resolver?: DnsResolver;
}

/** The machine's own way to look names up: its hosts file and search domains count. SRV names must be complete. */
export const systemResolver: DnsResolver = {
  resolve4: (name) => addresses(name, 4),
  resolve6: (name) => addresses(name, 6),
  resolveSrv: (name) => resolveSrv(name),
};

const DEFAULT_REFRESH_MS = 5_000;

/** Error codes that say "no such record" rather than "could not ask" (nodejs.org, dns, Error codes). */
const NO_RECORD = new Set(["ENODATA", "ENOTFOUND"]);

/**
 * The replicas behind a DNS name, such as a headless Service.
 *
 * A look-up that fails or finds nothing keeps the last answer: whether those
 * replicas still live is for their health checks to say. A replica's id is
 * `host:port`, with the address as host, or the target's name for SRV.
 */
export class DnsDiscovery implements Discovery {
  readonly #options: DnsDiscoveryOptions;
  readonly #resolver: DnsResolver;
  #answeredMs: number | undefined;
  /** Why the last look-up brought nothing. */
  #failure: string | undefined;

  constructor(options: DnsDiscoveryOptions) {
    this.#options = options;
    this.#resolver = options.resolver ?? systemResolver;
  }

  start(onEndpoints: (endpoints: readonly Endpoint[]) => void, onStatus: () => void = () => {}): Cancel {
    const { clock, log, name, refreshMs = DEFAULT_REFRESH_MS } = this.#options;
    const answers: Target[][] = [];
    let isStopped = false;
    let cancelTimer: Cancel = () => {};
    let reported = "";
    const refresh = async () => {
      const outcomes = await Promise.allSettled(this.#lookUps());
      if (isStopped) return;
      cancelTimer = clock.after(refreshMs, refresh);
      const failedBefore = this.#failure;
      const hasFound = outcomes.some((outcome) => outcome.status === "fulfilled" && outcome.value.length > 0);
      this.#failure = hasFound ? undefined : failureReason(outcomes);
      if (this.#failure !== failedBefore) onStatus();
      if (this.#failure !== undefined) {
        // Where none was found before, that there is no record says that there is no replica.
        if (reported === "" && !outcomes.some(couldNotAsk)) this.#answeredMs = clock.nowMs();
        const fields = { name, reason: this.#failure };
        if (failedBefore === undefined) log.warn(fields, "replica look-up failed, keeping the last answer");
        return;
      }
      this.#answeredMs = clock.nowMs();
      if (failedBefore !== undefined) log.info({ name }, "replica look-up works again");
      outcomes.forEach((outcome, index) => {
        if (outcome.status === "fulfilled") answers[index] = outcome.value;
        else if (!couldNotAsk(outcome)) answers[index] = [];
      });
      const endpoints = toEndpoints(answers.flat());
      const ids = endpoints.map(({ id }) => id).join();
      if (ids === reported) return;
      reported = ids;
      onEndpoints(endpoints);
    };
    void refresh();
    return () => {
      isStopped = true;
      cancelTimer();
    };
  }

  status(): readonly DiscoveryStatus[] {
    const { name, clock } = this.#options;
    const source = `DNS look-up of ${name}`;
    const ageMs = this.#answeredMs === undefined ? {} : { ageMs: clock.nowMs() - this.#answeredMs };
    if (this.#failure !== undefined) return [{ source, state: "stale", ...ageMs, reason: this.#failure }];
    return [{ source, state: this.#answeredMs === undefined ? "syncing" : "live", ...ageMs }];
  }

  /** One look-up for each kind of record, so that one kind's failure does not touch the other's answer. */
  #lookUps(): Promise<Target[]>[] {
    const { name, port } = this.#options;
    if (port === undefined) {
      const records = this.#resolver.resolveSrv(name);
      return [records.then((found) => found.map((record) => ({ host: bare(record.name), port: record.port })))];
    }
    const families = [this.#resolver.resolve4(name), this.#resolver.resolve6(name)];
    return families.map((family) => family.then((hosts) => hosts.map((host) => ({ host, port }))));
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
}

function toEndpoints(targets: readonly Target[]): Endpoint[] {
  const byId = new Map(targets.map((target) => [hostPort(target.host, target.port), target]));
  const sorted = [...byId].sort(([one], [other]) => (one < other ? -1 : 1));
  return sorted.map(([id, target]) => ({ id, address: { t: "tcp", ...target }, isTerminating: false }));
}

function couldNotAsk(outcome: PromiseSettledResult<unknown>): boolean {
  return outcome.status === "rejected" && !NO_RECORD.has(outcome.reason?.code);
}

function failureReason(outcomes: readonly PromiseSettledResult<unknown>[]): string {
  const codes = outcomes.flatMap((outcome) =>
    outcome.status === "rejected" ? [String((outcome.reason as NodeJS.ErrnoException).code ?? outcome.reason)] : [],
  );
  return codes.find((code) => !NO_RECORD.has(code)) ?? codes[0] ?? "no record";
}

/** A host name without the root's dot, which no certificate carries. */
function bare(name: string): string {
  return name.replace(/\.$/, "");
}

async function addresses(name: string, family: 4 | 6): Promise<string[]> {
  return (await lookup(name, { family, all: true })).map(({ address }) => address);
}
