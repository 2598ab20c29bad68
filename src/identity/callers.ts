import type { Caller } from "./caller.ts";
import { type Claim, readClaim, withoutJob } from "./claim.ts";
import { matchesCertificate } from "./name-pattern.ts";

/** What a client's connection says of it. */
export interface ClientConnection {
  /** Its address without the port; `unix` where it has none. */
  readonly host: string;
  /** The names of the certificate that it has shown; none where it has shown none. */
  readonly certificateNames: readonly string[];
}

/** Where pods are looked up, and the jobs that run in them. */
export interface PodDirectory {
  /** The pod at an address. */
  at(address: string): Claim | undefined;
  /** The pod of a name. */
  named(namespace: string, pod: string): Claim | undefined;
  /** Whether the cluster says which job runs in a pod, or that none does yet. */
  hasRunner(namespace: string, pod: string): boolean;
}

/** What is believed of clients. */
export interface CallersOptions {
  /** Patterns of the names of certificates whose holders may say for whom they speak. */
  readonly trust: readonly string[];
  /** Absent: no cluster is asked. */
  readonly pods?: PodDirectory | undefined;
}

/**
 * Tells who is building: by its certificate, by what a trusted sidecar claims
 * for it, and by the pod at its address. What the cluster itself says of a pod
 * wins over what is claimed, and of a runner's job also that it knows none yet.
 */
export class Callers {
  readonly #trust: readonly string[];
  readonly #pods: PodDirectory | undefined;

  constructor({ trust, pods }: CallersOptions) {
    this.#trust = trust;
    this.#pods = pods;
  }

  /** `claim`: the text of the claim's header, where a call has one. */
  identify({ host, certificateNames }: ClientConnection, claim: string | undefined): Caller {
    const isTrusted = this.#trust.some((pattern) => matchesCertificate(certificateNames, pattern));
    const claimed: Claim = isTrusted && claim !== undefined ? readClaim(claim) : {};
    // A sidecar's certificate is the sidecar's, not that of whoever builds.
    const shown = isTrusted || certificateNames.length === 0 ? {} : { certificateNames };
    const there = this.#podOf(claimed, host);
    return { ...shown, ...(this.#isRunner(there) ? withoutJob(claimed) : claimed), ...there };
  }

  #isRunner({ namespace, pod }: Claim = {}): boolean {
    return namespace !== undefined && pod !== undefined && this.#pods?.hasRunner(namespace, pod) === true;
  }

  /** Where the address says it, a claim of another pod does not count. */
  #podOf({ namespace, pod }: Claim, host: string): Claim | undefined {
    const there = this.#pods?.at(host);
    if (there || namespace === undefined || pod === undefined) return there;
    return this.#pods?.named(namespace, pod);
  }
}
