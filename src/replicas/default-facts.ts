import { endianness } from "node:os";
import { bridgeRpcs, controlRpcs, type WorkerRecord } from "../buildkit/wire-contracts.ts";
import { DEFAULT_FRONTEND_CAPS, DEFAULT_LLB_CAPS } from "./default-caps.ts";
import type { ReplicaFacts } from "./facts.ts";
import { goArchitecture } from "./go-architecture.ts";

/** Whose capabilities are claimed: clients that go by the version must not take more for granted. */
const BUILDKIT_VERSION = { package: "github.com/moby/buildkit", version: "v0.13.2", revision: "" };

const WORKER_ID = "buildkit-gateway";

/**
 * What a fleet says while no replica has ever answered: one worker with what
 * every BuildKit can do. `platforms` such as `linux/arm64/v8`, the default one
 * first; empty: Linux on this machine's architecture.
 */
export function defaultFacts(platforms: readonly string[]): ReplicaFacts {
  const named = platforms.length > 0 ? platforms : [`linux/${goArchitecture(process.arch, endianness())}`];
  const workers: WorkerRecord[] = [
    {
      ID: WORKER_ID,
      Labels: { "org.mobyproject.buildkit.worker.hostname": WORKER_ID },
      platforms: named.map(platformOf),
      BuildkitVersion: BUILDKIT_VERSION,
    },
  ];
  return {
    infoBytes: controlRpcs.Info.responseSerialize({ buildkitVersion: BUILDKIT_VERSION }),
    workersBytes: controlRpcs.ListWorkers.responseSerialize({ record: workers }),
    pongBytes: bridgeRpcs.Ping.responseSerialize({
      FrontendAPICaps: DEFAULT_FRONTEND_CAPS.map(enabled),
      LLBCaps: DEFAULT_LLB_CAPS.map(enabled),
      Workers: workers,
    }),
    buildkitVersion: BUILDKIT_VERSION.version,
    workerId: WORKER_ID,
    platforms: named,
  };
}

function enabled(ID: string): { ID: string; Enabled: boolean } {
  return { ID, Enabled: true };
}

function platformOf(name: string): WorkerRecord["platforms"][number] {
  const [OS = "", Architecture = "", Variant = ""] = name.split("/");
  return { OS, Architecture, Variant };
}
