import { type RigOptions, SwitchRig } from "../support/switch-rig.ts";

/** A gateway before scripted replicas, for as long as a target is open. */
export interface SwitchUnderFuzz {
  readonly rig: SwitchRig;
  /** Stop all of it, in the reverse order. */
  close(): Promise<void>;
}

/** Start a gateway. Clients that are made with its rig are their maker's to end. */
export async function startSwitch(options: RigOptions = {}): Promise<SwitchUnderFuzz> {
  const stops: (() => void | Promise<void>)[] = [];
  let isStarting = true;
  const rig = await SwitchRig.start({
    ...options,
    atEnd: (stop) => {
      if (isStarting) stops.push(stop);
    },
  });
  isStarting = false;
  return {
    rig,
    close: async () => {
      for (const stop of stops.reverse()) await stop();
    },
  };
}
