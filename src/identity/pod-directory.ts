import type { Logger } from "../base/log.ts";
import type { ApiServer } from "../kubernetes/api-request.ts";
import { ResourceWatch } from "../kubernetes/resource-watch.ts";
import type { WatchState } from "../kubernetes/watch-state.ts";
import type { PodDirectory } from "./callers.ts";
import type { Claim } from "./claim.ts";
import { type PodFacts, readPod, readRunner } from "./cluster-facts.ts";

/** What is followed, and where. */
export interface ClusterPodsOptions {
  readonly server: ApiServer;
  readonly namespaces: readonly string[];
  /** Labels that say what a pod is one of; the first that it has counts. */
  readonly labels: readonly string[];
  /** Ask for EphemeralRunners, too. */
  readonly withRunners: boolean;
  readonly log: Logger;
}

/** Pods of some namespaces by address and by name, followed live, with the jobs that run in them. */
export class ClusterPods implements PodDirectory {
  readonly #watches: { readonly state: WatchState; stop(): void }[];
  readonly #pods = new Map<string, ReadonlyMap<string, PodFacts>>();
  readonly #runners = new Map<string, ReadonlyMap<string, Claim>>();
  /** Made of all pods when one is asked for after a change. */
  #byAddress: Map<string, PodFacts> | undefined;

  /** Begins to follow at once; `stop` ends it. */
  constructor({ server, namespaces, labels, withRunners, log }: ClusterPodsOptions) {
    this.#watches = namespaces.flatMap((namespace) => {
      const pods = new ResourceWatch<PodFacts>({
        server,
        resource: { group: "", version: "v1", name: "pods", namespace },
        log,
        project: (object) => readPod(object, labels),
        onChange: (all) => {
          this.#pods.set(namespace, all);
          this.#byAddress = undefined;
        },
      });
      if (!withRunners) return [pods];
      const runners = new ResourceWatch<Claim>({
        server,
        resource: { group: "actions.github.com", version: "v1alpha1", name: "ephemeralrunners", namespace },
        log,
        project: readRunner,
        onChange: (all) => this.#runners.set(namespace, all),
      });
      return [pods, runners];
    });
  }

  /** Something has been neither listed yet nor refused: nobody may be taken for unknown. */
  get isSyncing(): boolean {
    return this.#watches.some(({ state }) => state.t === "syncing");
  }

  at(address: string): Claim | undefined {
    this.#byAddress ??= this.#index();
    const pod = this.#byAddress.get(plainAddress(address));
    return pod && this.#withJob(pod.claim);
  }

  named(namespace: string, pod: string): Claim | undefined {
    const known = this.#pods.get(namespace)?.get(`${namespace}/${pod}`);
    return known && this.#withJob(known.claim);
  }

  hasRunner(namespace: string, pod: string): boolean {
    return this.#runners.get(namespace)?.has(`${namespace}/${pod}`) === true;
  }

  stop(): void {
    for (const watch of this.#watches) watch.stop();
  }

  #withJob(claim: Claim): Claim {
    const { namespace = "", pod = "" } = claim;
    return { ...claim, ...this.#runners.get(namespace)?.get(`${namespace}/${pod}`) };
  }

  #index(): Map<string, PodFacts> {
    const byAddress = new Map<string, PodFacts>();
    for (const pods of this.#pods.values()) {
      for (const pod of pods.values()) {
        for (const address of pod.addresses) {
          const other = byAddress.get(address);
          if (!other || other.createdMs <= pod.createdMs) byAddress.set(address, pod);
        }
      }
    }
    return byAddress;
  }
}

/** An address as the API writes it: no brackets, and an IPv4 address that came over an IPv6 socket as itself. */
function plainAddress(address: string): string {
  return address.replace(/^\[|\]$/g, "").replace(/^::ffff:(?=\d+\.)/i, "");
}
