import type { LabReplica } from "../lab/replica.ts";
import { ApiServerStandIn } from "./api-server.ts";
import { endpointSlice } from "./endpoint-slice.ts";
import { type StandInFiles, writeStandInFiles } from "./stand-in-access.ts";

/** How a pod's endpoint stands. */
export type PodCondition = "ready" | "unready" | "terminating" | "gone";

const SERVICE = "buildkit-replicas";

/** Real replicas as pods behind a Service of a stand-in cluster, each in a slice of its own as their ports differ. */
export class LabCluster {
  readonly api: ApiServerStandIn;
  readonly #files: StandInFiles;

  private constructor(api: ApiServerStandIn, files: StandInFiles) {
    this.api = api;
    this.#files = files;
  }

  static async start(): Promise<LabCluster> {
    const api = await ApiServerStandIn.start();
    return new LabCluster(api, await writeStandInFiles(api));
  }

  /** What makes a gateway find the replicas here. */
  get gatewayOptions() {
    return {
      until: "serving" as const,
      flags: [`--replicas-service=${SERVICE}`],
      env: {
        BUILDKIT_GATEWAY_KUBERNETES_SERVER: this.api.url,
        BUILDKIT_GATEWAY_KUBERNETES_TOKEN_FILE: this.#files.tokenFile,
        BUILDKIT_GATEWAY_KUBERNETES_CA_FILE: this.#files.caFile,
        BUILDKIT_GATEWAY_KUBERNETES_NAMESPACE: "buildkit",
      },
    };
  }

  /** What makes a gateway find them by a kubeconfig file. */
  get kubeconfigOptions() {
    return { ...this.gatewayOptions, env: { BUILDKIT_GATEWAY_KUBERNETES_KUBECONFIG: this.#files.kubeconfig } };
  }

  /** Say how the pod of a replica stands. */
  set({ name, address }: Pick<LabReplica, "name" | "address">, condition: PodCondition): void {
    const sliceName = `${SERVICE}-${name}`;
    if (condition === "gone") {
      this.api.store("endpointslices").remove("buildkit", sliceName);
      return;
    }
    const { hostname, port } = new URL(address.replace("tcp:", "http:"));
    const isReady = condition === "ready";
    const isTerminating = condition === "terminating";
    const endpoint = {
      address: hostname,
      pod: name,
      nodeName: `node-of-${name}`,
      zone: "eu-1a",
      ready: isReady,
      serving: isReady || isTerminating,
      terminating: isTerminating,
    };
    const ports = [{ name: "buildkit", port: Number(port), protocol: "TCP" }];
    this.api.put("endpointslices", endpointSlice({ name: sliceName, service: SERVICE, endpoints: [endpoint], ports }));
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#files.remove();
  }
}
