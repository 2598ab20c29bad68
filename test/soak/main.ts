import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { Lab } from "../support/lab/lab.ts";
import { provision } from "../support/lab/provision.ts";
import { judge } from "./checks.ts";
import { readSoakOptions, type SoakOptions, USAGE } from "./options.ts";
import { renderSoakReport } from "./report.ts";
import { soak } from "./soak.ts";

/*
 * `npm run soak -- --minutes N`: the gateway under real builds and synthetic
 * clients, while clients are stopped and replicas are ended, frozen and replaced.
 * Exit status 1: something leaked, hung, or was not accounted for.
 */

let lab: Lab | undefined;

/** Returns the exit status. */
async function main(): Promise<number> {
  let options: SoakOptions;
  try {
    options = readSoakOptions(process.argv.slice(2));
  } catch (reason) {
    say((reason as Error).message);
    say(USAGE);
    return 2;
  }
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable" || provisioned.tools.replicas.t === "external") {
    say("this needs replicas of its own: run it as root on Debian, without BUILDKIT_ADDRS");
    return 1;
  }
  say(`seed ${options.seed}`);
  lab = await Lab.open(provisioned.tools);
  try {
    const evidence = await soak(lab, options, say);
    const verdict = judge(evidence);
    const { samples, before, after, disturbances, synthetic } = evidence;
    process.stdout.write(
      options.isJson
        ? `${JSON.stringify({ options, ...verdict, before, after, disturbances, synthetic, samples })}\n`
        : renderSoakReport(options, evidence, verdict),
    );
    return verdict.checks.every(({ isGood }) => isGood) ? 0 : 1;
  } finally {
    await lab.close();
  }
}

/** For people who wait; standard output is for the result. */
function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => void Promise.resolve(lab?.close()).then(() => process.exit(status)));
}
const status = await main().catch((reason: Error) => {
  say(reason.stack ?? reason.message);
  if (reason.cause) say(String(reason.cause));
  return 1;
});
// Where it went wrong, some clients may still wait for what does not come.
process.exit(status);
