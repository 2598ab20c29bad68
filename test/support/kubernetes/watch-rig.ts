import { pino } from "pino";
import type { ApiServer } from "../../../src/kubernetes/api-request.ts";
import type { Resource } from "../../../src/kubernetes/resource.ts";
import { ResourceWatch, type ResourceWatchOptions } from "../../../src/kubernetes/resource-watch.ts";
import { openTokenAccess } from "../../../src/kubernetes/token-access.ts";
import type { WatchState } from "../../../src/kubernetes/watch-state.ts";
import { ApiServerStandIn } from "./api-server.ts";
import { RequestClock } from "./request-clock.ts";
import { type StandInFiles, writeStandInFiles } from "./stand-in-access.ts";

export const SLICES: Resource = {
  group: "discovery.k8s.io",
  version: "v1",
  name: "endpointslices",
  namespace: "buildkit",
};

/** A line of the log, as far as tests read it. */
export interface RigLine {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly role?: string;
}

/** A stand-in API server, and a client of it whose time a test moves. */
export class WatchRig {
  readonly clock = new RequestClock();
  readonly lines: RigLine[] = [];
  readonly states: WatchState[] = [];
  /** Keys of each report. */
  readonly reports: string[][] = [];
  readonly standIn: ApiServerStandIn;
  readonly files: StandInFiles;
  readonly server: ApiServer;
  #watch: ResourceWatch<string> | undefined;

  private constructor(standIn: ApiServerStandIn, files: StandInFiles, server: Omit<ApiServer, "clock">) {
    this.standIn = standIn;
    this.files = files;
    this.server = { ...server, clock: this.clock };
  }

  static async start(): Promise<WatchRig> {
    const standIn = await ApiServerStandIn.start();
    const files = await writeStandInFiles(standIn);
    const { tokenFile, caFile } = files;
    const access = await openTokenAccess({ server: standIn.url, tokenFile, caFile, namespace: "buildkit" });
    return new WatchRig(standIn, files, { access });
  }

  /** The log that the client writes to. */
  readonly log = pino(
    { base: null, level: "debug" },
    { write: (line: string) => void this.lines.push(JSON.parse(line)) },
  );

  /** Follow a type. What is kept of an object is its resource version. */
  follow(resource = SLICES, options: Partial<ResourceWatchOptions<string>> = {}): ResourceWatch<string> {
    this.#watch = new ResourceWatch<string>({
      server: this.server,
      resource,
      log: this.log,
      project: ({ metadata }) => metadata.resourceVersion,
      onChange: (all) => this.reports.push([...all.keys()]),
      onState: (state) => this.states.push(state),
      random: () => 0,
      ...options,
    });
    return this.#watch;
  }

  get watch(): ResourceWatch<string> {
    return this.#watch!;
  }

  /** Names that were reported last. */
  get names(): string[] {
    return (this.reports.at(-1) ?? []).map((key) => key.replace(/^.*\//, "")).sort();
  }

  /** Resolves once it is so. Meanwhile the client's own waits cost no time, and its requests what they take. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.skipWait();
    }
  }

  /** Resolves when this many requests of a verb have come, counted from the start. */
  async untilSeen(verb: string, count: number): Promise<void> {
    await this.until(() => this.count(verb) >= count);
  }

  /** Resolves once exactly these are reported. */
  untilNames(...names: string[]): Promise<void> {
    return this.until(() => this.names.join() === names.join());
  }

  /** Resolves once the state is this, with the latest reason. */
  async untilState(t: WatchState["t"]): Promise<WatchState> {
    await this.until(() => this.watch.state.t === t);
    return this.watch.state;
  }

  put(name: string, more: { readonly namespace?: string; readonly labels?: Record<string, string> } = {}): void {
    const { namespace = "buildkit", labels = {} } = more;
    this.standIn.put("endpointslices", { metadata: { name, namespace, labels }, addressType: "IPv4", endpoints: [] });
  }

  /** Requests of a verb so far. */
  count(verb: string): number {
    return this.standIn.requests.filter((request) => request.verb === verb).length;
  }

  async stop(): Promise<void> {
    this.#watch?.stop();
    this.server.access.close();
    await this.standIn.close();
    await this.files.remove();
  }
}
