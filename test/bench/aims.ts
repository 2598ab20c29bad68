import type { MeasureName } from "./measures.ts";
import type { Results } from "./results.ts";
import type { TargetName } from "./targets/target.ts";
import type { FigureName } from "./units.ts";

/** What the project wants of a figure of the gateway's: itself, or its quotient with a peer's in the same round. */
export interface Aim {
  readonly measure: MeasureName;
  readonly figure: FigureName;
  /** Absent: the figure itself, in the report's unit. */
  readonly beside?: TargetName;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** An aim, and what came of it. */
export interface AimOutcome extends Aim {
  /** The median; `undefined`: not measured. */
  readonly measured: number | undefined;
  readonly isReached: boolean;
}

export const AIMS: readonly Aim[] = [
  { measure: "bulk-up", figure: "rate", beside: "nginx", atLeast: 1 },
  { measure: "bulk-up", figure: "cpu", beside: "nginx", atMost: 1.1 },
  { measure: "bulk-down", figure: "rate", beside: "nginx", atLeast: 1 },
  { measure: "bulk-down", figure: "cpu", beside: "nginx", atMost: 1.1 },
  { measure: "tls-bulk-up", figure: "rate", beside: "nginx", atLeast: 1 },
  { measure: "tls-bulk-down", figure: "rate", beside: "nginx", atLeast: 1 },
  { measure: "unary", figure: "rate", beside: "nginx", atLeast: 2 },
  { measure: "unary", figure: "rate", beside: "haproxy", atLeast: 2 },
  { measure: "unary", figure: "p99Us", beside: "nginx", atMost: 1 },
  { measure: "unary", figure: "p99Us", beside: "haproxy", atMost: 1 },
  { measure: "paced-unary", figure: "p99Us", beside: "nginx", atMost: 1 },
  { measure: "paced-unary", figure: "p99Us", beside: "haproxy", atMost: 1 },
  { measure: "status-streams", figure: "cpu", atMost: 3 },
  { measure: "mtls-connects", figure: "rate", beside: "nginx", atLeast: 0.9 },
  { measure: "idle", figure: "memory", atMost: 16 },
  { measure: "tls-idle", figure: "memory", atMost: 60 },
  { measure: "build-1gb-context", figure: "rate", beside: "direct", atLeast: 0.97 },
  { measure: "build-1gb-export", figure: "rate", beside: "direct", atLeast: 0.97 },
];

/** The aims of what was measured. */
export function aimOutcomes({ measures, ratios }: Pick<Results, "measures" | "ratios">): AimOutcome[] {
  return AIMS.filter(({ measure }) => measures[measure] !== undefined).map((aim) => {
    const { measure, figure, beside, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = aim;
    const figures = beside === undefined ? measures[measure]?.gateway?.figures : ratios[measure]?.[beside];
    const measured = figures?.[figure]?.median;
    return { ...aim, measured, isReached: measured !== undefined && measured >= atLeast && measured <= atMost };
  });
}
