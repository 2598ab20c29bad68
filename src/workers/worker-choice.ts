/** What is known of how much a worker has to do. */
export interface WorkerLoad {
  /** Clients that are connected to it, those on the way to it included. */
  readonly open: number;
  /** Share of the last seconds in which its event loop had work, 0 to 1. */
  readonly busy: number;
}

/**
 * A core without a moment to spare weighs as much as so many clients that do nothing. A few heavy clients are then
 * spread by what they move, while clients that come at the same moment, before anything is known, are spread by number.
 */
const CLIENTS_PER_BUSY_CORE = 20;

/** The worker that the next client goes to; the first of those that are alike. `undefined` where there is none. */
export function leastLoaded<T extends WorkerLoad>(workers: readonly T[]): T | undefined {
  let least: T | undefined;
  for (const worker of workers) if (!least || weight(worker) < weight(least)) least = worker;
  return least;
}

function weight({ open, busy }: WorkerLoad): number {
  return open + CLIENTS_PER_BUSY_CORE * busy;
}
