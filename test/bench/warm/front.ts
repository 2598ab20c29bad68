/** What builds are sent to, up and running. */
export interface RunningFront {
  /** What it is, with versions, for the report. */
  readonly about: string;
  /** For buildx. */
  readonly address: string;
  stop(): Promise<void>;
}

/** In the order of the report. */
export const FRONT_NAMES = ["gateway", "round-robin", "single"] as const;

export type FrontName = (typeof FRONT_NAMES)[number];
