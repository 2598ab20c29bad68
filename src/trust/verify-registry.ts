import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { AskedRegistry } from "./asked-registries.ts";
import { readDaemonPool } from "./daemon-pool.ts";
import { isPlainHttp } from "./daemon-registry.ts";
import { type GoTrustVariables, type RootPool, readGoRootPool, readPemPool } from "./go-root-pool.ts";
import { heedObjection, judgeLeg, type Leg, type LegName, type LegVerdict } from "./judge-leg.ts";
import { type ProbeOutcome, probeRegistry } from "./probe-registry.ts";
import { readRegistryName } from "./registry-name.ts";

/** What was found out about one registry. */
export interface RegistryReport {
  readonly registry: string;
  /** The registry that it is a mirror of, by the daemon's file; undefined where it was asked for itself. */
  readonly mirrorOf: string | undefined;
  readonly probe: ProbeOutcome;
  readonly verdicts: readonly { readonly leg: Leg; readonly verdict: LegVerdict }[];
}

/** What registries are verified with. */
export interface RegistryVerifierOptions {
  /** File with what the gateway trusts. Absent: Node's own roots. */
  readonly bundle: string | undefined;
  readonly legs: readonly LegName[];
  /** Where the daemon and the runner look for the system's roots. */
  readonly env: GoTrustVariables;
  /** For each connection that is made. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Verifies one registry. Never rejects. */
export type RegistryVerifier = (asked: AskedRegistry) => Promise<RegistryReport>;

/** Where plain HTTP goes where no port is named. */
const HTTP_PORT = 80;

/** Read the roots of all legs, and make what connects to registries and says which leg trusts what they send. */
export async function registryVerifier(options: RegistryVerifierOptions): Promise<RegistryVerifier> {
  const { clock, timeoutMs } = options;
  const system = await readGoRootPool(options.env);
  const gateway = await gatewayPool(options.bundle);
  const isPublic = publicRoots();
  return async ({ registry, mirrorOf, settings }) => {
    const name = readRegistryName(registry)!;
    const ofGo = { pool: system, needsSelfSigned: false, isPlainHttp: false, isInsecure: false };
    const legs: Readonly<Record<LegName, Leg>> = {
      gateway: { ...ofGo, name: "gateway", pool: gateway, needsSelfSigned: true },
      daemon: {
        name: "daemon",
        pool: await readDaemonPool(settings, system),
        needsSelfSigned: false,
        isPlainHttp: isPlainHttp(settings, name.host),
        isInsecure: settings.insecure ?? false,
      },
      runner: { ...ofGo, name: "runner" },
    };
    const probe = await probeRegistry(name, { timeoutMs, clock });
    const now = clock.wallTime();
    const judge = async (leg: Leg) => {
      const isElsewhere = leg.isPlainHttp && !leg.isInsecure && name.isDefaultPort;
      const own = isElsewhere ? await probeRegistry({ ...name, port: HTTP_PORT }, { timeoutMs, clock }) : probe;
      const verdict = judgeLeg({ leg, registry, host: name.host, probe: own, now, isPublic });
      if (verdict.t !== "ok" || !verdict.isVerified) return { leg, verdict };
      const ofLeg = { timeoutMs, clock, roots: leg.pool.certificates };
      return { leg, verdict: heedObjection(verdict, await probeRegistry(name, ofLeg)) };
    };
    const verdicts = await Promise.all(options.legs.map((leg) => judge(legs[leg])));
    return { registry, mirrorOf, probe, verdicts };
  };
}

async function gatewayPool(bundle: string | undefined): Promise<RootPool> {
  if (bundle !== undefined) return await readPemPool([bundle], bundle);
  return { certificates: rootCertificates.map((pem) => new X509Certificate(pem)), origin: "Node's roots", faults: [] };
}

/** Whether a certificate is a public authority's: one of those that Node brings along. */
export function publicRoots(): (root: X509Certificate) => boolean {
  const known = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256));
  return ({ fingerprint256 }) => known.has(fingerprint256);
}
