import { setMaxListeners } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TestAuthority } from "../support/lab/certificates.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { Lab } from "../support/lab/lab.ts";
import type { LogLine } from "../support/lab/log-lines.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import type { RanBuild } from "./build-books.ts";
import { Disturbances } from "./disturbances.ts";
import { fillMemory } from "./fill-memory.ts";
import type { MetricValue } from "./metric-values.ts";
import type { SoakOptions } from "./options.ts";
import { RealBuilds } from "./real-builds.ts";
import { askMetrics, OPEN, type Sample, takeSample, watch } from "./sampler.ts";
import { ServerCertificate } from "./server-certificate.ts";
import type { SyntheticTarget } from "./synthetic-connection.ts";
import { SyntheticLoad, type SyntheticTally } from "./synthetic-load.ts";

/** All that a run has seen. */
export interface Evidence {
  /** Idle, before the first client. */
  readonly before: Sample;
  /** Under load. */
  readonly samples: readonly Sample[];
  /** Parts of the load that did not come to their end. */
  readonly stuck: readonly string[];
  /** Idle again, or what was still open when the time for that was up. */
  readonly after: Sample;
  /** Time that it took after the last client. */
  readonly settledMs: number;
  /** Builds that the replicas still worked on, each asked for itself. */
  readonly leftOnReplicas: number;
  readonly builds: readonly RanBuild[];
  readonly givenUp: number;
  readonly synthetic: SyntheticTally;
  readonly questions: RealBuilds["questions"];
  readonly disturbances: Pick<Disturbances, "losses" | "silences" | "counts">;
  readonly metrics: readonly MetricValue[];
  readonly log: readonly LogLine[];
  /** How the gateway ended after SIGTERM; `late`: it did not. */
  readonly exit: number | null | "late";
}

const REPLICAS = 3;

/** Fewer than the clients could use, so that some wait. */
const MAX_BUILDS = 2;

const TOKEN = "not-a-secret-0123456789";

const SAMPLE_INTERVAL_MS = 1_000;

/** For runs of hours: that many samples are enough. */
const MOST_SAMPLES = 2_000;

/** Everything that is open is to be closed this long after the last client. */
const SETTLE_TIMEOUT_MS = 60_000;

/** The gateway is to end this long after SIGTERM, with nothing to wait for. */
const EXIT_TIMEOUT_MS = 20_000;

/** Let the gateway run under load and disturbances. `say` is told what happens, for people who wait. */
export async function soak(lab: Lab, options: SoakOptions, say: (line: string) => void): Promise<Evidence> {
  const replicas = await lab.startReplicas(REPLICAS);
  const authority = new TestAuthority("soak authority");
  const folder = await lab.newFolder();
  const certificate = new ServerCertificate(authority, folder);
  await certificate.renew();
  const [caFile, tokenFile] = [join(folder, "ca.pem"), join(folder, "token")];
  await writeFile(caFile, authority.cert);
  await writeFile(tokenFile, TOKEN);
  const { certFile, keyFile, servername } = certificate;
  const gateway = await GatewayProcess.start({
    replicas,
    flags: [`--tls-cert=${certFile}`, `--tls-key=${keyFile}`, `--max-builds=${MAX_BUILDS}`, "--drain-delay=0s"],
    env: { BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE: tokenFile, BUILDKIT_GATEWAY_HEALTH_INTERVAL: "1s" },
  });
  try {
    const target = { authority: gateway.address.replace("tcp://", ""), ca: authority.cert, servername };
    say("filling what the gateway remembers");
    const givenUp = await fillMemory(gateway, TOKEN, replicas);
    const before = await settle(gateway);
    const driverOpts = { cacert: caFile, servername };
    const load = { lab, gateway, replicas, certificate, target, driverOpts, options };
    const { samples, real, synthetic, disturbances, stuck } = await loadGateway(load, say);
    say("all clients have left");
    const settled = await settle(gateway, before.descriptors);
    const leftOnReplicas = await countActive(replicas);
    const metrics = await askMetrics(gateway);
    const exit = await Promise.race([gateway.terminate(), delay(EXIT_TIMEOUT_MS, "late" as const)]);
    return {
      before,
      samples,
      stuck,
      after: settled,
      settledMs: settled.settledMs,
      leftOnReplicas,
      builds: [...givenUp, ...synthetic.builds, ...real.builds],
      givenUp: givenUp.length,
      synthetic: synthetic.tally,
      questions: real.questions,
      disturbances,
      metrics,
      log: gateway.lines.all,
      exit,
    };
  } finally {
    await gateway.kill();
    if (options.logFile !== undefined) await writeFile(options.logFile, gateway.log);
  }
}

interface Load {
  readonly lab: Lab;
  readonly gateway: GatewayProcess;
  readonly replicas: readonly LabReplica[];
  readonly certificate: ServerCertificate;
  readonly target: SyntheticTarget;
  readonly driverOpts: { readonly cacert: string; readonly servername: string };
  readonly options: SoakOptions;
}

/** Everything at the same time, for as long as was asked for, or until the first part of it goes wrong. */
async function loadGateway(load: Load, say: (line: string) => void) {
  const { lab, gateway, replicas, certificate, target, driverOpts, options } = load;
  const { minutes, seed, workers } = options;
  const over = new AbortController();
  const { signal: ending } = over;
  // Every pause listens to it.
  setMaxListeners(0, ending);
  const durationMs = minutes * 60_000;
  const { address } = gateway;
  const real = await RealBuilds.start({ lab, address, driverOpts, workers, seed, ending });
  const synthetic = new SyntheticLoad(target, seed, ending);
  const disturbances = new Disturbances({ gateway, token: TOKEN, replicas, certificate, seed, ending });
  const watching = watch(gateway, Math.max(SAMPLE_INTERVAL_MS, durationMs / MOST_SAMPLES), ending);
  const parts = [real.ended(), synthetic.ended(), disturbances.ended(), watching];
  const tell = setInterval(() => {
    const builds = real.builds.length + synthetic.builds.length;
    say(`${builds} builds, ${JSON.stringify(disturbances.counts)}`);
  }, 60_000);
  const timer = setTimeout(() => over.abort(), durationMs);
  try {
    await Promise.all(parts);
  } catch {
    // What went wrong is told below, beside all that went well.
  } finally {
    clearTimeout(timer);
    clearInterval(tell);
    over.abort();
  }
  const outcomes = await Promise.allSettled(parts);
  const stuck = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [describe(outcome.reason)] : []));
  const samples = await watching.catch(() => []);
  return { samples, real, synthetic, disturbances, stuck };
}

function describe(reason: Error): string {
  return reason.cause === undefined ? reason.message : `${reason.message}: ${String(reason.cause)}`;
}

/** Wait until nothing is open, and no more descriptors than `descriptors`; or until the time for that is up. */
async function settle(
  gateway: GatewayProcess,
  descriptors = Number.POSITIVE_INFINITY,
): Promise<Sample & { readonly settledMs: number }> {
  const startedMs = performance.now();
  for (;;) {
    const sample = await takeSample(gateway);
    const settledMs = performance.now() - startedMs;
    const isSettled = OPEN.every((name) => sample[name] === 0) && sample.descriptors <= descriptors;
    if (isSettled || settledMs > SETTLE_TIMEOUT_MS) return { ...sample, settledMs };
    await delay(200);
  }
}

async function countActive(replicas: readonly LabReplica[]): Promise<number> {
  const active = await Promise.all(replicas.map(({ control }) => control.activeRefs()));
  return active.flat().length;
}
