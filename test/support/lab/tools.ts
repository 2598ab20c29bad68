/** Versions of buildx that the stories know, by their Debian suites: sid's and trixie's. */
export const BUILDX_VERSIONS = ["0.29", "0.13"] as const;

export type BuildxVersion = (typeof BUILDX_VERSIONS)[number];

/** Where the replicas of a lab come from. */
export type ReplicaSource =
  /** dockerd's embedded BuildKit, from Debian packages; `path` holds dockerd, containerd and runc. */
  | { readonly t: "dockerd"; readonly path: string; readonly version: string }
  /** A buildkitd found on PATH. */
  | { readonly t: "buildkitd"; readonly file: string; readonly version: string }
  /** Running elsewhere, named by BUILDKIT_ADDRS; the lab can neither start nor end them. */
  | { readonly t: "external"; readonly addresses: readonly string[] };

/** Programs that a lab is made of. */
export interface LabTools {
  readonly replicas: ReplicaSource;
  /** The buildx program of each version that could be had, standalone. */
  readonly buildx: Readonly<Partial<Record<BuildxVersion, string>>>;
  /** A static busybox: the base of every test image. */
  readonly busybox: string;
  /** What buildx needs so that it finds a git: nothing where git is installed. */
  readonly gitEnv: Readonly<Record<string, string>>;
}

/** What provisioning came to. `reason` is one line for people. */
export type Provisioned =
  | { readonly t: "ready"; readonly tools: LabTools }
  | { readonly t: "unavailable"; readonly reason: string };
