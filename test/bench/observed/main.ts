import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { makeCertificate } from "../certificate.ts";
import { startWorker } from "../child.ts";
import type { GeneratorCommand } from "../load/generator-process.ts";
import type { ReplicaCommand, ReplicaPorts } from "../load/replica-process.ts";
import { describeMachine, switchCongestionControl } from "../machine.ts";
import { MEASURES } from "../measures.ts";
import { runMeasure } from "../measuring.ts";
import { pinToCores } from "../pinning.ts";
import { type Spread, spread } from "../statistics.ts";
import { startGateway } from "../targets/gateway.ts";

/*
 * `npm run bench:observed`: what it costs the switch to be watched.
 *
 * Each round measures one gateway twice, once alone and once with 50 viewers of
 * its dashboard and a scrape of its metrics each second, in turn as to which
 * comes first. Generator and replica are those of `npm run bench`.
 */

const VIEWERS = 50;

const SCRAPE_EVERY_MS = 1_000;

const MEASURED = ["unary", "bulk-down"] as const;

type Measured = (typeof MEASURED)[number];

/** Of one measurement: calls or bytes in a second, and the gateway's CPU time for each. */
interface Figure {
  readonly perSecond: number;
  readonly cpuSecondsEach: number;
}

type Round = Readonly<Record<Measured, { readonly alone: Figure; readonly watched: Figure }>>;

/** Watch a gateway as 50 browsers and a Prometheus do; the result ends it. */
function watch(adminPort: number): () => void {
  const agent = new Agent({ keepAlive: true });
  const viewers = Array.from({ length: VIEWERS }, () =>
    request({ port: adminPort, path: "/events", agent: false }, (response) => response.resume())
      .on("error", () => {})
      .end(),
  );
  const scrape = setInterval(() => {
    request({ port: adminPort, path: "/metrics", agent }, (response) => response.resume())
      .on("error", () => {})
      .end();
  }, SCRAPE_EVERY_MS);
  return () => {
    clearInterval(scrape);
    for (const viewer of viewers) viewer.destroy();
    agent.destroy();
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "3" } },
  });
  const [count, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!(count >= 1 && count <= 1_000 && seconds > 0 && seconds <= 60)) {
    throw new Error("usage: npm run bench:observed -- [--rounds N] [--seconds N]");
  }
  const cleanups: (() => unknown)[] = [];
  try {
    const { inForce, restore } = switchCongestionControl();
    cleanups.push(restore);
    const folder = mkdtempSync(path.join(os.tmpdir(), "gateway-bench-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const certificate = makeCertificate(folder);
    const { commandPrefix, description } = pinToCores();
    const replica = startWorker<ReplicaCommand>("replica-process");
    const generator = startWorker<GeneratorCommand>("generator-process");
    cleanups.push(replica.stop, generator.stop);
    const { certPath, keyPath } = certificate;
    const ports = await replica.ask<ReplicaPorts>({ t: "listen", certPath, keyPath });
    const gateway = await startGateway({ replica: ports, certificate, folder, commandPrefix }, []);
    cleanups.push(gateway.stop);
    const { adminPort } = gateway;
    const target = { version: "", cleartext: gateway, tls: gateway, mtls: gateway, stop: gateway.stop };

    const measure = async (name: Measured): Promise<Figure> => {
      const chosen = MEASURES.find((one) => one.name === name)!;
      const options = { seconds, unary: { connections: 16, concurrency: 4 }, certificate };
      const { perSecond, cpuSecondsEach } = await runMeasure(chosen, target, { generator, replica }, options);
      return { perSecond: perSecond!, cpuSecondsEach: cpuSecondsEach! };
    };
    const measureWatched = async (name: Measured): Promise<Figure> => {
      const leave = watch(adminPort);
      try {
        return await measure(name);
      } finally {
        leave();
      }
    };
    const rounds: Round[] = [];
    for (let round = 0; round < count; round++) {
      process.stderr.write(`round ${round + 1} of ${count}\n`);
      const entries: [Measured, Round[Measured]][] = [];
      for (const name of MEASURED) {
        const first = round % 2 === 0 ? await measure(name) : await measureWatched(name);
        const second = round % 2 === 0 ? await measureWatched(name) : await measure(name);
        entries.push([name, round % 2 === 0 ? { alone: first, watched: second } : { alone: second, watched: first }]);
      }
      rounds.push(Object.fromEntries(entries) as Round);
    }
    const { cpu, cores, kernel, node } = describeMachine(inForce);
    process.stdout.write(
      [
        `machine: ${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}`,
        `${description}; ${inForce.duringTheRun}; ${count} rounds of ${seconds} s; ${VIEWERS} viewers and a scrape a second`,
        "",
        "| watched / alone | median | min | max |",
        "|---|---|---|---|",
        ...MEASURED.flatMap((name) => [
          row(`${name}, throughput`, rounds, ({ [name]: { alone, watched } }) => watched.perSecond / alone.perSecond),
          row(
            `${name}, CPU`,
            rounds,
            ({ [name]: { alone, watched } }) => watched.cpuSecondsEach / alone.cpuSecondsEach,
          ),
        ]),
        "",
      ].join("\n"),
    );
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

function row(name: string, rounds: readonly Round[], ratio: (round: Round) => number): string {
  const { median, min, max } = spread(rounds.map(ratio)) as Spread;
  return `| ${name} | ${[median, min, max].map((value) => value.toFixed(3)).join(" | ")} |`;
}

await main();
