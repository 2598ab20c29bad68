import type { Figures } from "./measurements.ts";
import { readOptions, type SimulationOptions, USAGE } from "./options.ts";
import { type Results, renderReport } from "./report.ts";
import { planBuilds } from "./scenario.ts";
import { OTHER_POLICIES, PATIENCE_MS, simulateOther, simulateOurs } from "./simulate.ts";

/** Load at which the effect of patience is shown. */
const PATIENCE_LOAD = 0.6;

/** Patience in the table, in seconds. */
const PATIENCES = [0, 1, 2, 5, 10, 20, 60];

async function simulate({ scenario, loads }: SimulationOptions): Promise<Results> {
  const policies: Record<string, Record<string, Figures>> = {};
  for (const load of loads) {
    const loaded = { ...scenario, load };
    const builds = planBuilds(loaded);
    const figures: Record<string, Figures> = {};
    for (const policy of OTHER_POLICIES) figures[policy] = await simulateOther(policy, loaded, builds);
    figures[`gateway, patience ${PATIENCE_MS / 1_000} s`] = await simulateOurs(loaded, builds);
    policies[load] = figures;
  }
  const loaded = { ...scenario, load: PATIENCE_LOAD };
  const builds = planBuilds(loaded);
  const patience: Record<string, Figures> = {};
  for (const seconds of PATIENCES) {
    patience[`${seconds} s`] = await simulateOurs(loaded, builds, { patienceMs: seconds * 1_000 });
  }
  return { scenario, policies, patienceLoad: PATIENCE_LOAD, patience };
}

let options: SimulationOptions;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}
const results = await simulate(options);
console.log(options.isJson ? JSON.stringify(results) : renderReport(results));
