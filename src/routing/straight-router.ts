import type { Router } from "./router.ts";

/** Sends every call to one place, and keeps no account of any. */
export class StraightRouter implements Router {
  readonly straightTo: string;

  /** `straightTo`: the id of that place. */
  constructor(straightTo: string) {
    this.straightTo = straightTo;
  }

  openSession(): void {}

  openBridge(): void {}

  openStatus(): void {}

  openContent(): void {}

  openOther(): void {}

  solveArriving(): void {}

  solveArrived(): void {}

  openSolve(): void {}

  buildLost(): void {}

  closed(): void {}

  clientGone(): void {}
}
