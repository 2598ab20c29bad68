import { GatewayProcess } from "../../support/lab/gateway-process.ts";
import type { LabReplica } from "../../support/lab/replica.ts";
import type { RunningFront } from "./front.ts";

/** The built gateway, with its defaults. */
export async function startGatewayFront(replicas: readonly LabReplica[]): Promise<RunningFront> {
  const gateway = await GatewayProcess.start({ replicas });
  return {
    about: `buildkit-gateway, ${replicas.length} replicas`,
    address: gateway.address,
    stop: () => gateway.kill(),
  };
}
