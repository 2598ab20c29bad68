import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Buildx } from "../support/lab/buildx.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Lab } from "../support/lab/lab.ts";
import { provision } from "../support/lab/provision.ts";
import type { BuildxVersion, LabTools } from "../support/lab/tools.ts";
import { buildSample, type SampleBuild } from "./sample-build.ts";
import { writeSampleImage } from "./sample-image.ts";

const REPLICAS = 3;

const { values: flags } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]).then(() => "stopped" as const);
process.exit(await main());

/** Bring up replicas and a gateway, build twice, tell what happened. Returns the exit status. */
async function main(): Promise<number> {
  say("Getting BuildKit and buildx (the first time this downloads about 80 MB) …");
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable") {
    say(`Real BuildKit cannot be had here: ${provisioned.reason}.`);
    say("Run this as root on Debian, or name your own replicas: BUILDKIT_ADDRS=tcp://host:port,tcp://host:port");
    return 1;
  }
  const lab = await Lab.open(provisioned.tools);
  let gateway: GatewayProcess | undefined;
  try {
    const shown = show(lab, provisioned.tools, (started) => {
      gateway = started;
    });
    if ((await Promise.race([shown, stopped])) === "stopped") {
      // What it was doing ends with the lab, and not well: nobody waits for it.
      shown.catch(() => {});
      return 130;
    }
    if (flags.keep) {
      say("Up until Ctrl-C.");
      await stopped;
    }
    return 0;
  } catch (reason) {
    say(reason instanceof Error ? reason.message : String(reason));
    return 1;
  } finally {
    await gateway?.kill();
    await lab.close();
  }
}

async function show(lab: Lab, tools: LabTools, started: (gateway: GatewayProcess) => void): Promise<void> {
  const source = tools.replicas;
  const count = source.t === "external" ? source.addresses.length : REPLICAS;
  const replicas = await lab.startReplicas(count);
  for (const { name, address } of replicas) say(`  ${name}  ${address}`);
  say("Starting the gateway in front of them …");
  const gateway = await GatewayProcess.start({ replicas });
  started(gateway);
  say(`  gateway     ${gateway.address}`);

  const version = (Object.keys(tools.buildx) as BuildxVersion[])[0]!;
  const buildx = await lab.createBuilder({ version, address: gateway.address });
  const folder = join(await lab.newFolder(), "sample-app");
  await writeSampleImage(folder, tools.busybox);
  say("Building a sample image twice …");
  say(`  first   ${describeBuild(await buildSample(buildx, folder, replicas))}`);
  say(`  second  ${describeBuild(await buildSample(buildx, folder, replicas))}`);
  say("");
  sayHowToUse(gateway, buildx);
}

function describeBuild(build: SampleBuild): string {
  const seconds = (build.durationMs / 1_000).toFixed(1);
  const warmth = build.cachedSteps > 0 ? `warm: ${build.cachedSteps} steps from its cache` : "cold";
  return `${seconds} s on ${build.builtBy} (${warmth})`;
}

function sayHowToUse({ address, adminAddress }: GatewayProcess, buildx: Buildx): void {
  say(
    flags.keep
      ? "Point your own buildx at it:"
      : "To point your own buildx at it, keep it up (npm run quickstart -- --keep):",
  );
  say(`  docker buildx create --name gateway --driver remote ${address}`);
  say("  docker buildx build --builder gateway .");
  if (!flags.keep) return;
  say("or use the one that built the sample:");
  const settings = ["BUILDX_CONFIG", "DOCKER_CONFIG", "BUILDX_BUILDER"].map((name) => `${name}=${buildx.env[name]}`);
  say(`  ${settings.join(" ")} ${buildx.file} build .`);
  say("These replicas have no network: a RUN step needs --network=none.");
  say(`What the fleet does: http://${adminAddress}/`);
  say("Where a build would go, and how much there is to do:");
  say(`  node dist/main.js explain --admin ${adminAddress} --repo https://github.com/acme/app.git`);
  say(`  curl http://${adminAddress}/load`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
