import { join } from "node:path";
import type { MethodDefinition } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { PROGRAM_FOLDER } from "../base/program-folder.ts";

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
  readonly BuildkitVersion: BuildkitVersion | null;
}

/** `moby.buildkit.v1.BuildHistoryEvent`, as far as it matters here. */
export interface BuildHistoryEvent {
  readonly type: "STARTED" | "COMPLETE" | "DELETED";
  readonly record: {
    readonly Ref: string;
    readonly FrontendAttrs?: Readonly<Record<string, string>>;
    readonly Exporters?: readonly { readonly Type: string; readonly Attrs: Readonly<Record<string, string>> }[];
    /** `google.rpc.Status`. Absent: it succeeded. */
    readonly error?: Buffer;
    readonly CreatedAt?: Timestamp;
    readonly CompletedAt?: Timestamp;
    readonly logs?: Descriptor;
    readonly trace?: Descriptor;
    readonly Generation?: number;
    readonly pinned?: boolean;
    readonly numCachedSteps?: number;
    readonly numTotalSteps?: number;
    readonly numCompletedSteps?: number;
  } | null;
}

/** `moby.buildkit.v1.BuildHistoryRequest`. */
export interface BuildHistoryRequest {
  readonly ActiveOnly?: boolean;
  readonly Ref?: string;
  readonly EarlyExit?: boolean;
  readonly Filter?: readonly string[];
  readonly Limit?: number;
}

/** `moby.buildkit.v1.UpdateBuildHistoryRequest`. */
export interface UpdateBuildHistoryRequest {
  readonly Ref?: string;
  readonly Pinned?: boolean;
  readonly Delete?: boolean;
  readonly Finalize?: boolean;
}

/** `moby.buildkit.v1.UsageRecord`, as far as it matters here. */
export interface UsageRecord {
  readonly ID: string;
  /** Bytes, in decimal. */
  readonly Size: string | number;
}

/** `moby.buildkit.v1.Descriptor`, as far as it matters here. */
interface Descriptor {
  readonly digest: string;
}

/** `containerd.services.content.v1.Info`, as far as it matters here. */
interface ContentInfo {
  readonly digest: string;
}

/** `moby.buildkit.v1.frontend.PongResponse`, as far as it is written here. */
export interface PongResponse {
  readonly FrontendAPICaps?: readonly ApiCap[];
  readonly LLBCaps?: readonly ApiCap[];
  readonly Workers?: readonly Partial<WorkerRecord>[];
}

/** `moby.buildkit.v1.apicaps.APICap`, as far as it is written here. */
interface ApiCap {
  readonly ID: string;
  readonly Enabled: boolean;
}

/** `google.protobuf.Timestamp`. */
interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** `moby.buildkit.v1.StatusResponse`, as far as it is written here. */
export interface StatusResponse {
  readonly vertexes: readonly {
    readonly digest: string;
    readonly name: string;
    readonly started: Timestamp;
    readonly completed?: Timestamp;
    readonly error?: string;
  }[];
  readonly logs: readonly {
    readonly vertex: string;
    readonly timestamp: Timestamp;
    readonly stream: number;
    readonly msg: Buffer;
  }[];
}

/** `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
export type ServingStatus = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";

type HealthRpc = MethodDefinition<{ service?: string }, { status: ServingStatus }>;

const CONTRACT_FILES = ["control.proto", "gateway.proto", "health.proto", "content.proto"];

const CONTRACTS: PackageDefinition = loadSync(CONTRACT_FILES, {
  includeDirs: [join(PROGRAM_FOLDER, "proto")],
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
  readonly Status: MethodDefinition<{ Ref: string }, StatusResponse>;
  readonly ListenBuildHistory: MethodDefinition<BuildHistoryRequest, BuildHistoryEvent>;
  readonly UpdateBuildHistory: MethodDefinition<UpdateBuildHistoryRequest, object>;
  readonly DiskUsage: MethodDefinition<object, { record: readonly UsageRecord[] }>;
  readonly Prune: MethodDefinition<{ all?: boolean }, UsageRecord>;
};

/** RPCs of `containerd.services.content.v1.Content` that the gateway makes or serves. */
export const contentRpcs = CONTRACTS["containerd.services.content.v1.Content"] as unknown as {
  readonly Info: MethodDefinition<{ digest: string }, { info: ContentInfo | null }>;
  readonly List: MethodDefinition<{ filters?: readonly string[] }, { info: readonly ContentInfo[] }>;
  readonly Read: MethodDefinition<{ digest: string }, { offset: string; data: Buffer }>;
};

/** RPCs of `moby.buildkit.v1.frontend.LLBBridge` that the gateway makes. */
export const bridgeRpcs = CONTRACTS["moby.buildkit.v1.frontend.LLBBridge"] as unknown as {
  readonly Ping: MethodDefinition<object, PongResponse>;
  readonly Return: MethodDefinition<{ result: object }, object>;
};

/** RPCs of `grpc.health.v1.Health`. */
export const healthRpcs = CONTRACTS["grpc.health.v1.Health"] as unknown as {
  readonly Check: HealthRpc;
  readonly Watch: HealthRpc;
};
