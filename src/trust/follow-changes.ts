import type { Cancel, Clock } from "../base/clock.ts";

/** What is followed. */
export interface FollowChangesOptions {
  /** Resolves with a text that changes when something does. Must not reject. */
  readonly look: () => Promise<string>;
  /** Time between two looks. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** Called after each change, and again only once it has resolved. Must not reject. */
  readonly onChange: () => Promise<void>;
}

/** Look again and again until stopped; what has changed since the moment when this resolves is told. */
export async function followChanges({ look, intervalMs, clock, onChange }: FollowChangesOptions): Promise<Cancel> {
  let isStopped = false;
  let cancel: Cancel = () => {};
  let seen = await look();
  const next = async (): Promise<void> => {
    const now = await look();
    if (isStopped) return;
    if (now !== seen) {
      seen = now;
      await onChange();
    }
    if (!isStopped) schedule();
  };
  const schedule = (): void => {
    cancel = clock.after(intervalMs, () => void next());
  };
  schedule();
  return () => {
    isStopped = true;
    cancel();
  };
}
