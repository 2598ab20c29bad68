import type { Clock } from "../base/clock.ts";
import { checkAddress } from "./address-checks.ts";
import { type AdminPort, checkAdmin } from "./admin-checks.ts";
import { judgeClock } from "./clock-check.ts";
import { type ClusterCheckOptions, checkCluster } from "./cluster-checks.ts";
import type { Finding, Section } from "./finding.ts";
import { checkRegistries, type RegistryCheckOptions } from "./registry-checks.ts";
import { Steps } from "./steps.ts";
import type { Target } from "./target.ts";

/** What is examined. */
export interface Examination {
  readonly target: Target;
  /** Absent: none is known. */
  readonly admin?: AdminPort | undefined;
  /** Absent: none is known. */
  readonly cluster?: Omit<ClusterCheckOptions, "clock" | "deadlineMs"> | undefined;
  readonly registries: Omit<RegistryCheckOptions, "clock" | "deadlineMs">;
  readonly clock: Clock;
}

/** Everything together takes no longer, whatever hangs; with the program's start it stays below 10 s. */
const TOTAL_MS = 8_500;

/** Make all checks, the sections side by side; their findings are in the order of the sections. Never rejects. */
export async function examine({ target, admin, cluster, registries, clock }: Examination): Promise<readonly Finding[]> {
  const deadlineMs = clock.nowMs() + TOTAL_MS;
  const skipped = (section: Section, check: string, seen: string) => {
    const steps = new Steps(section, clock, deadlineMs);
    steps.skip(check, seen);
    return { findings: steps.findings, readings: [] };
  };
  const [ofAddress, ofAdmin, ofCluster, ofRegistries] = await Promise.all([
    checkAddress({ target, clock, deadlineMs }),
    admin ? checkAdmin(admin, clock, deadlineMs) : skipped("admin", "admin port", "none is named: give --admin"),
    cluster
      ? checkCluster({ ...cluster, clock, deadlineMs })
      : skipped("cluster", "API server", "not in a cluster: give --kubeconfig"),
    checkRegistries({ ...registries, clock, deadlineMs }),
  ]);
  const findings = [...ofAddress, ...ofAdmin.findings, ...ofCluster.findings, ...ofRegistries];
  const outcome = judgeClock([...ofAdmin.readings, ...ofCluster.readings], findings);
  return [...findings, { section: "clock", check: "clock", outcome }];
}
