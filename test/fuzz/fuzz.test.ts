import { expect, test } from "vitest";
import { testSeed } from "../support/seeded-random.ts";
import { fuzz } from "./fuzz-loop.ts";
import { loadTarget, TARGET_NAMES, TargetUnavailable } from "./fuzz-target.ts";

/*
 * The short run of `npm run fuzz`: a fixed number of inputs for each target,
 * those kept by hand first. The long one is for hours when nobody waits.
 */

test.for(TARGET_NAMES)("the target %s has no finding", async (name, { skip }) => {
  const target = await loadTarget(name);
  const findings: string[] = [];
  try {
    await fuzz(target, {
      seed: testSeed(),
      maxInputs: target.shortRunInputs,
      endMs: Number.POSITIVE_INFINITY,
      shrinkMs: 5_000,
      maxFindings: 1,
      onFinding: ({ input, reason }) => findings.push(`${input.toString("hex")}: ${reason}`),
    });
  } catch (reason) {
    if (!(reason instanceof TargetUnavailable)) throw reason;
    if (process.env.CI) throw reason;
    skip(reason.message);
  }
  expect(findings).toEqual([]);
});
