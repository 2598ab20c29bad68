import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { faultOf, readBounded } from "../base/bounded-file.ts";
import { systemClock } from "../base/clock.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { duration } from "../config/value-types.ts";
import { readDaemonPool } from "../trust/daemon-pool.ts";
import { type DaemonRegistry, isPlainHttp, readDaemonRegistry } from "../trust/daemon-registry.ts";
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

/** Where plain HTTP goes where no port is named. */
const HTTP_PORT = 80;

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
  const asked = withMirrors(request.registries, toml.text);
  if ("fault" in asked) {
    context.complain(`${PROGRAM}: ${request.toml}: ${asked.fault}\n`);
    return ExitStatus.FAILED;
  }
  const verify = async ({ registry, mirrorOf, settings }: AskedRegistry): Promise<RegistryReport> => {
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
    const options = { timeoutMs: request.timeoutMs, clock: systemClock };
    const probe = await probeRegistry(name, options);
    const now = systemClock.wallTime();
    const judge = async (leg: Leg) => {
      const isElsewhere = leg.isPlainHttp && !leg.isInsecure && name.isDefaultPort;
      const own = isElsewhere ? await probeRegistry({ ...name, port: HTTP_PORT }, options) : probe;
      const verdict = judgeLeg({ leg, registry, host: name.host, probe: own, now, isPublic });
      if (verdict.t !== "ok" || !verdict.isVerified) return { leg, verdict };
      const ofLeg = { ...options, roots: leg.pool.certificates };
      return { leg, verdict: heedObjection(verdict, await probeRegistry(name, ofLeg)) };
    };
    const verdicts = await Promise.all(request.legs.map((leg) => judge(legs[leg])));
    return { registry, mirrorOf, probe, verdicts };
  };
  const reports = await Promise.all(asked.registries.map(verify));
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

/** A registry to verify, with what the daemon's file says of it. */
interface AskedRegistry {
  readonly registry: string;
  readonly mirrorOf: string | undefined;
  readonly settings: DaemonRegistry;
}

/** The registries that are asked for, each followed by its mirrors: the daemon asks those first. */
function withMirrors(
  given: readonly string[],
  toml: string,
): { readonly registries: readonly AskedRegistry[] } | { readonly fault: string } {
  const asked = new Map<string, AskedRegistry>();
  const queue = [...new Set(given)].map((registry) => ({ registry, mirrorOf: undefined as string | undefined }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { registry, mirrorOf } = next;
    const outcome = readDaemonRegistry(toml, registry);
    if (outcome.t === "malformed") return { fault: `line ${outcome.line}: ${outcome.reason}` };
    asked.set(registry, { registry, mirrorOf, settings: outcome.registry });
    if (asked.size > MAX_REGISTRIES) return { fault: `more than ${MAX_REGISTRIES} registries with their mirrors` };
    // Mirrors of a mirror are not asked.
    const mirrors = mirrorOf === undefined ? outcome.registry.mirrors : [];
    const odd = mirrors.find((mirror) => readRegistryName(mirror) === undefined);
    if (odd !== undefined) return { fault: `a mirror of ${registry} is not a registry: ${JSON.stringify(odd)}` };
    const isNew = (mirror: string) => !given.includes(mirror) && !asked.has(mirror);
    queue.unshift(...mirrors.filter(isNew).map((mirror) => ({ registry: mirror, mirrorOf: registry })));
  }
  return { registries: [...asked.values()] };
}

function publicRoots(): (root: X509Certificate) => boolean {
  const known = new Set(rootCertificates.map((pem) => new X509Certificate(pem).fingerprint256));
  return ({ fingerprint256 }) => known.has(fingerprint256);
}
