import type { LabReplica } from "../../support/lab/replica.ts";
import type { FrontName, RunningFront } from "./front.ts";
import { startGatewayFront } from "./front-gateway.ts";
import { startRoundRobinFront } from "./front-round-robin.ts";

/** Start a front before replicas that nobody has used yet; `folder` is its own and empty. */
export function startFront(name: FrontName, replicas: readonly LabReplica[], folder: string): Promise<RunningFront> {
  return STARTERS[name](replicas, folder);
}

/** How many of a fleet's replicas a front is given. */
export function replicasOf(name: FrontName, fleet: number): number {
  return name === "single" ? 1 : fleet;
}

const STARTERS: Readonly<
  Record<FrontName, (replicas: readonly LabReplica[], folder: string) => Promise<RunningFront>>
> = {
  gateway: startGatewayFront,
  "round-robin": startRoundRobinFront,
  single: async ([replica]) => ({
    about: "one replica, no front",
    address: replica!.address,
    stop: async () => {},
  }),
};
