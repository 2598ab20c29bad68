import { X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { isPlainHttp, readDaemonRegistry } from "./daemon-registry.ts";
import { type GoTrustVariables, type RootPool, readGoRootPool, readPemPool } from "./go-root-pool.ts";
import { heedObjection, judgeLeg, type Leg, type LegName, type LegVerdict } from "./judge-leg.ts";
import { type ProbeOutcome, probeRegistry } from "./probe-registry.ts";
import { readRegistryName } from "./registry-name.ts";

/** What was found out about one registry. */
export interface RegistryReport {
  readonly registry: string;
  readonly probe: ProbeOutcome;
  readonly verdicts: readonly { readonly leg: Leg; readonly verdict: LegVerdict }[];
}

/** What registries are verified with. */
export interface RegistryVerifierOptions {
  /** File with what the gateway trusts. Absent: Node's own roots. */
  readonly bundle: string | undefined;
  /** The daemon's buildkitd.toml; empty: it has none. */
  readonly toml: string;
  readonly legs: readonly LegName[];
  /** Where the daemon and the runner look for the system's roots. */
  readonly env: GoTrustVariables;
  /** For each connection that is made. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Verifies one registry, `host[:port]`; a fault is one of the toml, with its line. Never rejects. */
export type RegistryVerifier = (registry: string) => Promise<RegistryReport | { readonly fault: string }>;

/** Read the roots of all legs, and make what connects to registries and says which leg trusts what they send. */
export async function registryVerifier(options: RegistryVerifierOptions): Promise<RegistryVerifier> {
  const { toml, clock, timeoutMs } = options;
  const system = await readGoRootPool(options.env);
  const gateway = await gatewayPool(options.bundle);
  const isPublic = publicRoots();
  return async (registry) => {
    const name = readRegistryName(registry);
    if (!name) return { fault: `not a registry: ${JSON.stringify(registry)}` };
    const daemon = await daemonLeg(toml, registry, name.host, system);
    if ("fault" in daemon) return daemon;
    const ofGo = { pool: system, needsSelfSigned: false, isPlainHttp: false, isInsecure: false };
    const legs: Readonly<Record<LegName, Leg>> = {
      gateway: { ...ofGo, name: "gateway", pool: gateway, needsSelfSigned: true },
      daemon,
      runner: { ...ofGo, name: "runner" },
    };
    const probe = await probeRegistry(name, { timeoutMs, clock });
    const now = clock.wallTime();
    const judge = async (leg: Leg) => {
      const verdict = judgeLeg({ leg, registry, host: name.host, probe, now, isPublic });
      if (verdict.t !== "ok" || !verdict.isVerified) return { leg, verdict };
      const own = { timeoutMs, clock, roots: leg.pool.certificates };
      return { leg, verdict: heedObjection(verdict, await probeRegistry(name, own)) };
    };
    const verdicts = await Promise.all(options.legs.map((leg) => judge(legs[leg])));
    return { registry, probe, verdicts };
  };
}

async function gatewayPool(bundle: string | undefined): Promise<RootPool> {
  if (bundle !== undefined) return await readPemPool([bundle], bundle);
  return { certificates: rootCertificates.map((pem) => new X509Certificate(pem)), origin: "Node's roots", faults: [] };
}

/** The system's pool, and for this registry what the toml adds to it. */
async function daemonLeg(
  toml: string,
  registry: string,
  host: string,
  system: RootPool,
): Promise<Leg | { readonly fault: string }> {
  const outcome = readDaemonRegistry(toml, registry);
  if (outcome.t === "malformed") return { fault: `line ${outcome.line}: ${outcome.reason}` };
  const { caFiles, caDirs, insecure = false } = outcome.registry;
  const ofDirs: string[] = [];
  for (const dir of caDirs) {
    const names = await readdir(dir).catch(() => []);
    ofDirs.push(...names.filter((name) => name.endsWith(".crt")).map((name) => join(dir, name)));
  }
  const own = await readPemPool([...caFiles, ...ofDirs], [...caFiles, ...caDirs].join(", "));
  const pool: RootPool = {
    certificates: [...own.certificates, ...system.certificates],
    origin: own.origin === "" ? system.origin : `${own.origin}, ${system.origin}`,
    faults: own.faults,
  };
  const http = isPlainHttp(outcome.registry, host);
  return { name: "daemon", pool, needsSelfSigned: false, isPlainHttp: http, isInsecure: insecure };
}

/** Whether a certificate is a public authority's: one of those that Node brings along. */
export function publicRoots(): (root: X509Certificate) => boolean {
  const known = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256));
  return ({ fingerprint256 }) => known.has(fingerprint256);
}
