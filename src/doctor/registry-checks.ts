import type { Clock } from "../base/clock.ts";
import { askedRegistries } from "../trust/asked-registries.ts";
import { type RegistryReport, type RegistryVerifierOptions, registryVerifier } from "../trust/verify-registry.ts";
import type { Finding, Outcome } from "./finding.ts";
import { type Answer, Steps } from "./steps.ts";

/** Which registries are looked at, and by what. */
export interface RegistryCheckOptions {
  /** Each `host[:port]`. */
  readonly registries: readonly string[];
  readonly trust: Omit<RegistryVerifierOptions, "timeoutMs" | "clock">;
  /** The daemon's buildkitd.toml; empty: it has none. */
  readonly toml: string;
  readonly clock: Clock;
  /** A time of the clock. */
  readonly deadlineMs: number;
}

/** Reading all roots, and connecting three times: once to look, once more in HTTP, once with the leg's roots. */
const TIMEOUT_MS = 8_000;
const PROBE_TIMEOUT_MS = 2_500;

/** Say for each registry which leg trusts what it sends: what `trust verify` says. Never rejects. */
export async function checkRegistries(options: RegistryCheckOptions): Promise<readonly Finding[]> {
  const { registries, trust, toml, clock, deadlineMs } = options;
  const steps = new Steps("registries", clock, deadlineMs);
  if (registries.length === 0) {
    steps.skip("registries", "none is named: give --registry");
    return steps.findings;
  }
  const asked = askedRegistries(registries, toml);
  if ("fault" in asked) {
    const fix = "mend that line of the daemon's buildkitd.toml";
    const outcome: Outcome = { t: "failure", seen: asked.fault, fix };
    await steps.make({ check: "buildkitd.toml", timeoutMs: TIMEOUT_MS, run: async () => ({ outcome }) });
    return steps.findings;
  }
  const verifier = registryVerifier({ ...trust, clock, timeoutMs: PROBE_TIMEOUT_MS });
  const checked = asked.registries.map(async (one) => {
    const own = new Steps("registries", clock, deadlineMs);
    const run = async () => answerOf(await (await verifier)(one));
    await own.make({ check: one.registry, timeoutMs: TIMEOUT_MS, run });
    return own.findings;
  });
  return (await Promise.all(checked)).flat();
}

function answerOf({ registry, probe, verdicts }: RegistryReport): Answer<never> {
  const more = verdicts.map(({ leg, verdict }) => {
    const outcome: Outcome =
      verdict.t === "failed"
        ? { t: "failure", seen: verdict.reason, fix: verdict.fix }
        : { t: "ok", seen: verdict.isVerified ? `trusted by ${verdict.detail}` : verdict.detail };
    return { check: `${registry} (${leg.name})`, outcome };
  });
  if (probe.t === "tls") return { outcome: { t: "ok", seen: `answers in ${probe.protocol}` }, more };
  // Each leg has its own word on an answer without TLS.
  return { outcome: { t: "skipped", seen: `no TLS: ${probe.t.replaceAll("_", " ")}` }, more };
}
