import type { Replica } from "./replica.ts";

/** A build weighs more than any warmth. */
const PER_BUILD = 100;

/** Keeps the cost within 32 bits. */
const MAX_BUILDS = 1_000_000;

const MAX_WARMTH = 30;

/**
 * How much is lost when a replica's pod is deleted: builds that run on it first,
 * then how many keys are warm there, in steps that double. From -1 (taken out of
 * service, and idle) to 100,000,030. Undefined: it is not known what runs there.
 */
export function deletionCost(replica: Replica, warmKeys: number): number | undefined {
  if (replica.loadUnknown !== undefined) return undefined;
  const running = Math.min(replica.runningBuilds, MAX_BUILDS);
  if (running === 0 && replica.isDrainedByOperator) return -1;
  const warmth = warmKeys === 0 ? 0 : Math.min(MAX_WARMTH, 1 + Math.floor(Math.log2(warmKeys)));
  return running * PER_BUILD + warmth;
}
