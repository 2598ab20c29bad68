import { X509Certificate } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import { systemClock } from "../base/clock.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { duration } from "../config/value-types.ts";
import { isPlainHttp, readDaemonRegistry } from "../trust/daemon-registry.ts";
import { type RootPool, readGoRootPool, readPemPool } from "../trust/go-root-pool.ts";
import { heedObjection, judgeLeg, LEGS, type Leg, type LegName } from "../trust/judge-leg.ts";
import { probeRegistry } from "../trust/probe-registry.ts";
import { readRegistryName } from "../trust/registry-name.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import type { HelpRow } from "./help.ts";
import { required } from "./trust-flags.ts";
import { describeReports, type RegistryReport, reportsJson } from "./trust-report.ts";

const FLAGS: readonly KnownFlag[] = [
  { flag: "--registry", isRepeatable: true },
  ...["--bundle", "--toml", "--leg", "--timeout"].map((flag) => ({ flag, isRepeatable: false })),
  { flag: "--json", isRepeatable: false, isSwitch: true },
];

/** The flags of `trust verify`, for a help text. */
export const TRUST_VERIFY_HELP: readonly HelpRow[] = [
  { term: "--registry HOST", lines: ["A registry, host[:port], as image names have it. Any number of times."] },
  { term: "--bundle FILE", lines: ["What the gateway trusts. Absent: Node's own roots."] },
  { term: "--toml FILE", lines: ["The daemon's buildkitd.toml. Absent: it has the system's roots only."] },
  { term: "--leg NAMES", lines: [`Whom to check for, with commas: ${LEGS.join(",")}. Default: all.`] },
  { term: "--timeout DURATION", lines: ["For each registry. Default: 5s."] },
  { term: "--json", lines: ["Answer for machines."] },
];

const DEFAULT_TIMEOUT_MS = 5_000;

const MAX_TIMEOUT_MS = 120_000;

const MAX_TOML_BYTES = 1_048_576;

/** Most registries that are asked at once. */
const MAX_REGISTRIES = 100;

interface VerifyRequest {
  readonly registries: readonly string[];
  readonly bundle: string | undefined;
  readonly toml: string | undefined;
  readonly legs: readonly LegName[];
  readonly timeoutMs: number;
}

/** `trust verify`: connect to registries, and say which leg trusts what they send. */
export async function trustVerify(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { request, problems: requestFaults } = readRequest(values);
  const problems = [...faults, ...requestFaults];
  if (problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const toml = await readToml(request.toml);
  if ("fault" in toml) {
    context.complain(`${PROGRAM}: ${request.toml}: ${toml.fault}\n`);
    return ExitStatus.FAILED;
  }
  const system = await readGoRootPool(context.env);
  const gateway = await gatewayPool(request.bundle);
  const isPublic = publicRoots();
  const verify = async (registry: string): Promise<RegistryReport | { readonly fault: string }> => {
    const name = readRegistryName(registry)!;
    const daemon = await daemonLeg(toml.text, registry, name.host, system);
    if ("fault" in daemon) return daemon;
    const ofGo = { pool: system, needsSelfSigned: false, isPlainHttp: false, isInsecure: false };
    const legs: Readonly<Record<LegName, Leg>> = {
      gateway: { ...ofGo, name: "gateway", pool: gateway, needsSelfSigned: true },
      daemon,
      runner: { ...ofGo, name: "runner" },
    };
    const probe = await probeRegistry(name, { timeoutMs: request.timeoutMs, clock: systemClock });
    const now = systemClock.wallTime();
    const judge = async (leg: Leg) => {
      const verdict = judgeLeg({ leg, registry, host: name.host, probe, now, isPublic });
      if (verdict.t !== "ok" || !verdict.isVerified) return { leg, verdict };
      const own = { timeoutMs: request.timeoutMs, clock: systemClock, roots: leg.pool.certificates };
      return { leg, verdict: heedObjection(verdict, await probeRegistry(name, own)) };
    };
    const verdicts = await Promise.all(request.legs.map((leg) => judge(legs[leg])));
    return { registry, probe, verdicts };
  };
  const outcomes = await Promise.all(request.registries.map(verify));
  const reports: RegistryReport[] = [];
  for (const outcome of outcomes) {
    if ("fault" in outcome) {
      context.complain(`${PROGRAM}: ${request.toml}: ${outcome.fault}\n`);
      return ExitStatus.FAILED;
    }
    reports.push(outcome);
  }
  context.print(values.has("--json") ? reportsJson(reports) : describeReports(reports));
  const isAllOk = reports.every(({ verdicts }) => verdicts.every(({ verdict }) => verdict.t === "ok"));
  return isAllOk ? ExitStatus.OK : ExitStatus.FAILED;
}

function readRequest(values: ReadonlyMap<string, readonly string[]>): {
  readonly request: VerifyRequest;
  readonly problems: readonly Problem[];
} {
  const registries = required(values, "--registry", "trust verify --registry HOST");
  const problems: Problem[] = [...registries.problems];
  for (const registry of registries.given) {
    if (readRegistryName(registry) !== undefined) continue;
    const message = `not a registry: ${JSON.stringify(registry)} (write host or host:port)`;
    problems.push({ subject: "--registry", message });
  }
  if (registries.given.length > MAX_REGISTRIES) {
    problems.push({ subject: "--registry", message: `more than ${MAX_REGISTRIES} at once` });
  }
  const legs = values.get("--leg")?.[0]?.split(",") ?? LEGS;
  for (const leg of legs) {
    if (LEGS.some((known) => known === leg)) continue;
    problems.push({ subject: "--leg", message: `not a leg: ${JSON.stringify(leg)} (${LEGS.join(", ")})` });
  }
  const timeoutText = values.get("--timeout")?.[0];
  const timeout = timeoutText === undefined ? undefined : duration({ max: MAX_TIMEOUT_MS }).safeParse(timeoutText);
  if (timeout?.success === false) problems.push({ subject: "--timeout", message: timeout.error.issues[0]!.message });
  const request: VerifyRequest = {
    registries: registries.given,
    bundle: values.get("--bundle")?.[0],
    toml: values.get("--toml")?.[0],
    legs: legs as readonly LegName[],
    timeoutMs: timeout?.success ? timeout.data : DEFAULT_TIMEOUT_MS,
  };
  return { request, problems };
}

async function readToml(path: string | undefined): Promise<{ readonly text: string } | { readonly fault: string }> {
  if (path === undefined) return { text: "" };
  const file = await readBounded(path, MAX_TOML_BYTES);
  return file.t === "read" ? { text: file.bytes.toString("utf8") } : { fault: faultOf(file) };
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

function publicRoots(): (root: X509Certificate) => boolean {
  const known = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256));
  return ({ fingerprint256 }) => known.has(fingerprint256);
}
