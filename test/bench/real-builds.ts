import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rm, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Buildx } from "../support/lab/buildx.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Lab } from "../support/lab/lab.ts";
import { provision } from "../support/lab/provision.ts";
import type { BuildxVersion, LabTools } from "../support/lab/tools.ts";
import type { CertificateFiles } from "./certificate.ts";
import type { Figures, MeasureName } from "./measures.ts";
import { cpuSeconds } from "./process-cpu.ts";
import type { Turn } from "./results.ts";
import { nginxStream } from "./targets/nginx.ts";

/** Of the one file that is sent up or down. */
const FILE_BYTES = 1e9;

const PIECE_BYTES = 1 << 20;

const WAYS = ["direct", "gateway", "nginx-stream"] as const;

type Way = (typeof WAYS)[number];

type BuildMeasure = Extract<MeasureName, `build-${string}`>;

/** One builder on each way to one real replica. */
interface Ways {
  readonly builders: Readonly<Record<Way, Buildx>>;
  /** What stands between; absent: nothing. */
  readonly pids: Readonly<Partial<Record<Way, number>>>;
  /** With a Dockerfile that copies the file. */
  readonly context: string;
  readonly file: string;
  readonly output: string;
}

/**
 * Whole builds by real buildx on a real replica, on each way in turn in each round. Nothing is pinned: BuildKit and
 * buildx are what works, and have all cores.
 */
export async function runRealBuilds(
  measures: readonly BuildMeasure[],
  rounds: number,
  certificate: CertificateFiles,
  cleanups: (() => Promise<void>)[],
): Promise<Turn[]> {
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable") throw new Error(`no real BuildKit here: ${provisioned.reason}`);
  const lab = await Lab.open(provisioned.tools);
  cleanups.push(() => lab.close());
  const ways = await openWays(lab, provisioned.tools, certificate, cleanups);
  const turns: Turn[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const measure of measures) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${measure}\n`);
      const first = round % WAYS.length;
      for (const target of [...WAYS.slice(first), ...WAYS.slice(0, first)]) {
        turns.push({ round, measure, target, outcome: { t: "ok", figures: await RUN[measure](ways, target) } });
      }
    }
  }
  return turns;
}

const RUN: Readonly<Record<BuildMeasure, (ways: Ways, way: Way) => Promise<Figures>>> = {
  /** The file is sent to the replica, which has an older one. */
  async "build-1gb-context"(ways, way) {
    const now = new Date();
    await utimes(ways.file, now, now);
    const figures = await build(ways, way, "type=cacheonly");
    await ways.builders.direct.mustRun(["prune", "--all", "--force"], { timeoutMs: 120_000 });
    return figures;
  },
  /** The file is sent back; the build itself is in the cache, and the file known from this builder. */
  async "build-1gb-export"(ways, way) {
    await build(ways, way, "type=cacheonly");
    const figures = await build(ways, way, `type=local,dest=${ways.output}`);
    await rm(ways.output, { recursive: true });
    return figures;
  },
};

async function build(ways: Ways, way: Way, output: string): Promise<Figures> {
  const pid = ways.pids[way];
  const before = pid === undefined ? 0 : cpuSeconds(pid);
  const { durationMs } = await ways.builders[way].mustRun(["build", `--output=${output}`, ways.context], {
    timeoutMs: 300_000,
  });
  return {
    perSecond: 1_000 / durationMs,
    cpuSecondsEach: pid === undefined ? undefined : cpuSeconds(pid) - before,
  };
}

async function openWays(
  lab: Lab,
  tools: LabTools,
  certificate: CertificateFiles,
  cleanups: (() => Promise<void>)[],
): Promise<Ways> {
  const replicas = await lab.startReplicas(1);
  const gateway = await GatewayProcess.start({ replicas });
  cleanups.push(() => gateway.kill());
  const replica = { plain: Number(new URL(replicas[0]!.address).port), tls: 0 };
  const relay = await nginxStream.start({ replica, certificate, folder: await lab.newFolder(), commandPrefix: [] });
  cleanups.push(relay.stop);
  const version = (Object.keys(tools.buildx) as BuildxVersion[])[0]!;
  const context = await lab.newFolder();
  const file = path.join(context, "blob");
  await writeRandomFile(file);
  await writeFile(path.join(context, "Dockerfile"), "FROM scratch\nCOPY blob /\n");
  const builder = (address: string) => lab.createBuilder({ version, address });
  return {
    builders: {
      direct: await builder(replicas[0]!.address),
      gateway: await builder(gateway.address),
      "nginx-stream": await builder(`tcp://127.0.0.1:${relay.cleartext.port}`),
    },
    pids: { gateway: gateway.pid, ...(relay.cleartext.pid && { "nginx-stream": relay.cleartext.pid }) },
    context,
    file,
    output: path.join(await lab.newFolder(), "out"),
  };
}

/** Random, so that nothing on the way can make it smaller. */
async function writeRandomFile(file: string): Promise<void> {
  const stream = createWriteStream(file);
  for (let left = FILE_BYTES; left > 0; left -= PIECE_BYTES) {
    if (!stream.write(randomBytes(Math.min(PIECE_BYTES, left)))) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "close");
}
