import { fileURLToPath } from "node:url";
import type { MethodDefinition } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";

/** `moby.buildkit.v1.types.BuildkitVersion`. */
export interface BuildkitVersion {
  readonly package: string;
  readonly version: string;
  readonly revision: string;
}

/** `moby.buildkit.v1.types.WorkerRecord`, as far as it is read here. */
export interface WorkerRecord {
  readonly ID: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly platforms: readonly { readonly OS: string; readonly Architecture: string; readonly Variant: string }[];
}

/** `moby.buildkit.v1.BuildHistoryEvent`, as far as it is read here. */
export interface BuildHistoryEvent {
  readonly type: "STARTED" | "COMPLETE" | "DELETED";
  readonly record: { readonly Ref: string } | null;
}

/** `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
export type ServingStatus = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";

type HealthRpc = MethodDefinition<{ service?: string }, { status: ServingStatus }>;

/** The contracts lie beside `src` and `dist` alike. */
const PROTO_DIR = fileURLToPath(new URL("../../proto/", import.meta.url));

const CONTRACTS: PackageDefinition = loadSync(["control.proto", "gateway.proto", "health.proto"], {
  includeDirs: [PROTO_DIR],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});

/** RPCs of `moby.buildkit.v1.Control` that the gateway makes or serves. */
export const controlRpcs = CONTRACTS["moby.buildkit.v1.Control"] as unknown as {
  readonly Info: MethodDefinition<object, { buildkitVersion: BuildkitVersion | null }>;
  readonly ListWorkers: MethodDefinition<{ filter?: readonly string[] }, { record: readonly WorkerRecord[] }>;
  readonly Solve: MethodDefinition<{ Ref: string; Internal: boolean }, object>;
  readonly ListenBuildHistory: MethodDefinition<
    { ActiveOnly?: boolean; Ref?: string; EarlyExit?: boolean },
    BuildHistoryEvent
  >;
};

/** RPCs of `moby.buildkit.v1.frontend.LLBBridge` that the gateway makes. */
export const bridgeRpcs = CONTRACTS["moby.buildkit.v1.frontend.LLBBridge"] as unknown as {
  readonly Ping: MethodDefinition<object, object>;
  readonly Return: MethodDefinition<{ result: object }, object>;
};

/** RPCs of `grpc.health.v1.Health`. */
export const healthRpcs = CONTRACTS["grpc.health.v1.Health"] as unknown as {
  readonly Check: HealthRpc;
  readonly Watch: HealthRpc;
};
