import type { ServiceError } from "@grpc/grpc-js";
import { GatewayError } from "../base/errors.ts";
import { describeMissing, type MissingReplica } from "../replicas/replica-survey.ts";
import type { FanOut, PartAnswer, PartEnd } from "./fan-out.ts";

type PartOutcome = PartAnswer | PartEnd;

/** What the first replica by id that has refused says, in its own words. */
export function firstRefusal(outcomes: readonly PartOutcome[]): ServiceError | undefined {
  return outcomes.find((outcome) => outcome.t === "refused")?.error;
}

/** Replicas whose parts are missing. */
export function missingOf(outcomes: readonly PartOutcome[]): MissingReplica[] {
  return outcomes.flatMap((outcome) => (outcome.t === "missing" ? [outcome.missing] : []));
}

/** Throws GatewayError(no_replica) where nobody can be asked at all: to say that there is nothing would be a lie. */
export function requireSomebody({ parts, missing }: FanOut): void {
  if (parts.length > 0) return;
  const why = missing.length > 0 ? describeMissing(missing) : "none is known";
  throw new GatewayError("no_replica", `no replica can be asked: ${why}`);
}
