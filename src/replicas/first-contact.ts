import type { Clock } from "../base/clock.ts";
import type { Fleet } from "./fleet.ts";

/**
 * Resolves once no replica is being asked for the first time any more, or after
 * `timeoutMs`: one that has just been discovered is asked within milliseconds,
 * and an answer without it would not be the whole fleet's.
 */
export function firstContacts(
  fleet: Pick<Fleet, "replicas" | "onChange">,
  clock: Clock,
  timeoutMs: number,
): Promise<void> {
  const isOver = () => !fleet.replicas().some(({ state }) => state.t === "connecting");
  if (isOver()) return Promise.resolve();
  return new Promise((resolve) => {
    const cancels = [clock.after(timeoutMs, end), fleet.onChange(() => isOver() && end())];
    function end(): void {
      for (const cancel of cancels) cancel();
      resolve();
    }
  });
}
