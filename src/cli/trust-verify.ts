import { faultOf, readBounded } from "../base/bounded-file.ts";
import { systemClock } from "../base/clock.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { duration } from "../config/value-types.ts";
import { askedRegistries } from "../trust/asked-registries.ts";
import { LEGS, type LegName } from "../trust/judge-leg.ts";
import { readRegistryName } from "../trust/registry-name.ts";
import { registryVerifier } from "../trust/verify-registry.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import type { HelpRow } from "./help.ts";
import { required } from "./trust-flags.ts";
import { describeReports, reportsJson } from "./trust-report.ts";

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
  const asked = askedRegistries(request.registries, toml.text);
  if ("fault" in asked) {
    context.complain(`${PROGRAM}: ${request.toml}: ${asked.fault}\n`);
    return ExitStatus.FAILED;
  }
  const verify = await registryVerifier({
    bundle: request.bundle,
    legs: request.legs,
    env: context.env,
    timeoutMs: request.timeoutMs,
    clock: systemClock,
  });
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

/** Read a buildkitd.toml; without a path it is empty. */
export async function readToml(
  path: string | undefined,
): Promise<{ readonly text: string } | { readonly fault: string }> {
  if (path === undefined) return { text: "" };
  const file = await readBounded(path, MAX_TOML_BYTES);
  return file.t === "read" ? { text: file.bytes.toString("utf8") } : { fault: faultOf(file) };
}
