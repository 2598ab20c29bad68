import type { ServiceError } from "@grpc/grpc-js";
import type { MissingReplica } from "../replicas/replica-survey.ts";
import type { PartAnswer, PartEnd } from "./fan-out.ts";

type PartOutcome = PartAnswer | PartEnd;

/** What the first replica by id that has refused says, in its own words. */
export function firstRefusal(outcomes: readonly PartOutcome[]): ServiceError | undefined {
  return outcomes.find((outcome) => outcome.t === "refused")?.error;
}

/** Replicas whose parts are missing. */
export function missingOf(outcomes: readonly PartOutcome[]): MissingReplica[] {
  return outcomes.flatMap((outcome) => (outcome.t === "missing" ? [outcome.missing] : []));
}
