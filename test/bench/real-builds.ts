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
import type { Figures, MeasureName } from "./measures.ts";
import { cpuSeconds } from "./process-cpu.ts";
import type { Turn } from "./results.ts";

/** Of the one file that is sent up or down. */
const FILE_BYTES = 1e9;

const PIECE_BYTES = 1 << 20;

type Way = "direct" | "gateway";

type BuildMeasure = Extract<MeasureName, `build-${string}`>;

/** One builder on each way to one real replica. */
interface Ways {
  readonly direct: Buildx;
  readonly gateway: Buildx;
  readonly gatewayPid: number;
  /** With a Dockerfile that copies the file. */
  readonly context: string;
  readonly file: string;
  readonly output: string;
}

/**
 * Whole builds by real buildx on a real replica, once directly and once through the gateway in each round. Nothing is
 * pinned: BuildKit and buildx are what works, and have both cores.
 */
export async function runRealBuilds(
  measures: readonly BuildMeasure[],
  rounds: number,
  cleanups: (() => Promise<void>)[],
): Promise<Turn[]> {
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable") throw new Error(`no real BuildKit here: ${provisioned.reason}`);
  const lab = await Lab.open(provisioned.tools);
  cleanups.push(() => lab.close());
  const ways = await openWays(lab, provisioned.tools, cleanups);
  const turns: Turn[] = [];
  // What is exported is in the cache by then, and the file has been sent once.
  await ways.direct.mustRun(["build", "--output=type=cacheonly", ways.context], { timeoutMs: 300_000 });
  for (let round = 0; round < rounds; round++) {
    for (const measure of measures) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${measure}\n`);
      const order: readonly Way[] = round % 2 === 0 ? ["direct", "gateway"] : ["gateway", "direct"];
      for (const target of order) {
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
    await ways.direct.mustRun(["prune", "--all", "--force"], { timeoutMs: 120_000 });
    return figures;
  },
  /** The file is sent back; the build itself is in the cache. */
  async "build-1gb-export"(ways, way) {
    await ways.direct.mustRun(["build", "--output=type=cacheonly", ways.context], { timeoutMs: 300_000 });
    const figures = await build(ways, way, `type=local,dest=${ways.output}`);
    await rm(ways.output, { recursive: true });
    return figures;
  },
};

async function build(ways: Ways, way: Way, output: string): Promise<Figures> {
  const before = cpuSeconds(ways.gatewayPid);
  const { durationMs } = await ways[way].mustRun(["build", `--output=${output}`, ways.context], { timeoutMs: 300_000 });
  const used = cpuSeconds(ways.gatewayPid) - before;
  return { perSecond: 1_000 / durationMs, cpuSecondsEach: way === "gateway" ? used : undefined };
}

async function openWays(lab: Lab, tools: LabTools, cleanups: (() => Promise<void>)[]): Promise<Ways> {
  const replicas = await lab.startReplicas(1);
  const gateway = await GatewayProcess.start({ replicas });
  cleanups.push(() => gateway.kill());
  const version = (Object.keys(tools.buildx) as BuildxVersion[])[0]!;
  const context = await lab.newFolder();
  const file = path.join(context, "blob");
  await writeRandomFile(file);
  await writeFile(path.join(context, "Dockerfile"), "FROM scratch\nCOPY blob /\n");
  return {
    direct: await lab.createBuilder({ version, address: replicas[0]!.address }),
    gateway: await lab.createBuilder({ version, address: gateway.address }),
    gatewayPid: gateway.pid,
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
