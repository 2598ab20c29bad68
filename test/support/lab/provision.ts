import { access, constants, open } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { mustRun } from "./command.ts";
import { PackageCache, type PackageSet, type PackagesOutcome } from "./package-cache.ts";
import type { BuildxVersion, LabTools, Provisioned, ReplicaSource } from "./tools.ts";

const REPLICA_PACKAGES: PackageSet = {
  name: "replica",
  packages: ["docker.io", "containerd"],
  suites: ["sid", "trixie"],
};
const BASE_PACKAGES: PackageSet = { name: "base", packages: ["busybox-static"], suites: ["own"] };
// runc must match the machine's libc, so it comes from the machine's own suite.
const RUNC_PACKAGES: PackageSet = { name: "runc", packages: ["runc"], suites: ["own"] };
const GIT_PACKAGES: PackageSet = { name: "git", packages: ["git"], suites: ["own"] };
const REGISTRY_PACKAGES: PackageSet = { name: "registry", packages: ["docker-registry"], suites: ["sid", "own"] };
const PROMETHEUS_PACKAGES: PackageSet = { name: "prometheus", packages: ["prometheus"], suites: ["own", "sid"] };
const BUILDX_PACKAGES: Record<BuildxVersion, PackageSet> = {
  "0.29": { name: "buildx-0.29", packages: ["docker-buildx"], suites: ["sid"] },
  "0.13": { name: "buildx-0.13", packages: ["docker-buildx"], suites: ["trixie"] },
};

/** buildx 0.15 brought `--check`: whatever is as new stands in for 0.29. */
const FIRST_MINOR_LIKE_0_29 = 15;

/** Where programs and replicas may come from. */
export interface ProvisionOptions {
  /** Where packages are kept between runs. */
  readonly cacheDir: string;
  /** Default: ours. Read: BUILDKIT_ADDRS and PATH. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Find or fetch real BuildKit and real buildx.
 *
 * BUILDKIT_ADDRS first, then a buildkitd on PATH, then Debian packages, which
 * need root since the replicas run containers.
 */
export async function provision(options: ProvisionOptions): Promise<Provisioned> {
  const env = options.env ?? process.env;
  const cache = new PackageCache(options.cacheDir);
  try {
    const replicas = await findReplicas(env, cache);
    if ("reason" in replicas) return { t: "unavailable", reason: replicas.reason };
    const buildx = await findBuildx(env, cache, replicas);
    if ("reason" in buildx) return { t: "unavailable", reason: buildx.reason };
    const base = await cache.fetch(BASE_PACKAGES);
    const busybox = base.t === "ready" ? packageFile(base, "busybox-static", "bin/busybox") : await staticBusybox(env);
    if (busybox === undefined) return { t: "unavailable", reason: "no static busybox" };
    return { t: "ready", tools: { replicas, buildx, busybox, gitEnv: await findGit(env, cache) } };
  } finally {
    await cache.close();
  }
}

/** A folder with programs, or one line that says why it cannot be had. */
export type ProgramsOutcome = { readonly folder: string } | { readonly reason: string };

/** Docker's registry from Debian. Kept in `cacheDir` between runs. */
export async function provisionRegistry(
  cacheDir: string,
): Promise<{ readonly file: string } | { readonly reason: string }> {
  const outcome = await provisionPrograms(cacheDir, REGISTRY_PACKAGES, "docker-registry");
  return "reason" in outcome ? outcome : { file: join(outcome.folder, "docker-registry") };
}

/** The folder with Prometheus and promtool from Debian. Kept in `cacheDir` between runs. */
export function provisionPrometheus(cacheDir: string): Promise<ProgramsOutcome> {
  return provisionPrograms(cacheDir, PROMETHEUS_PACKAGES, "prometheus");
}

async function provisionPrograms(cacheDir: string, packages: PackageSet, name: string): Promise<ProgramsOutcome> {
  const cache = new PackageCache(cacheDir);
  try {
    const outcome = await cache.fetch(packages);
    if (outcome.t === "unavailable") return { reason: outcome.reason };
    return { folder: packageFile(outcome, name, "usr/bin") };
  } finally {
    await cache.close();
  }
}

async function findReplicas(env: NodeJS.ProcessEnv, cache: PackageCache): Promise<ReplicaSource | { reason: string }> {
  const addresses = (env.BUILDKIT_ADDRS ?? "").split(",").filter((address) => address !== "");
  if (addresses.length > 0) return { t: "external", addresses };
  if (process.getuid?.() !== 0) return { reason: "not root" };
  const buildkitd = await findOnPath(env, ["buildkitd"]);
  if (buildkitd) return { t: "buildkitd", file: buildkitd, version: await mustRun(buildkitd, ["--version"]) };
  const daemon = await cache.fetch(REPLICA_PACKAGES);
  if (daemon.t === "unavailable") return daemon;
  const runc = await cache.fetch(RUNC_PACKAGES);
  if (runc.t === "unavailable") return runc;
  const path = [
    packageFile(daemon, "docker.io", "usr/sbin"),
    packageFile(daemon, "containerd", "usr/bin"),
    packageFile(runc, "runc", "usr/sbin"),
  ].join(delimiter);
  return { t: "dockerd", path, version: daemon.packages.get("docker.io")!.version };
}

async function findBuildx(
  env: NodeJS.ProcessEnv,
  cache: PackageCache,
  replicas: ReplicaSource,
): Promise<LabTools["buildx"] | { reason: string }> {
  // With somebody's own replicas, their own buildx is meant, too: no need to fetch one.
  const own =
    replicas.t === "dockerd" ? undefined : await findOnPath(env, ["buildx", "docker-buildx"], pluginDirs(env));
  if (own) {
    const minor = Number(/v0\.(\d+)\./.exec(await mustRun(own, ["version"]))?.[1] ?? FIRST_MINOR_LIKE_0_29);
    return { [minor >= FIRST_MINOR_LIKE_0_29 ? "0.29" : "0.13"]: own };
  }
  const buildx: Partial<Record<BuildxVersion, string>> = {};
  let reason = "";
  for (const [version, set] of Object.entries(BUILDX_PACKAGES)) {
    const outcome = await cache.fetch(set);
    if (outcome.t === "unavailable") reason = outcome.reason;
    else {
      buildx[version as BuildxVersion] = packageFile(
        outcome,
        "docker-buildx",
        "usr/libexec/docker/cli-plugins/docker-buildx",
      );
    }
  }
  return Object.keys(buildx).length > 0 ? buildx : { reason };
}

async function findGit(env: NodeJS.ProcessEnv, cache: PackageCache): Promise<Record<string, string>> {
  if (await findOnPath(env, ["git"])) return {};
  const git = await cache.fetch(GIT_PACKAGES);
  // Without git buildx builds all the same, only without knowing the repository.
  if (git.t === "unavailable") return {};
  return {
    PATH: `${packageFile(git, "git", "usr/bin")}${delimiter}${env.PATH ?? ""}`,
    GIT_EXEC_PATH: packageFile(git, "git", "usr/lib/git-core"),
    GIT_TEMPLATE_DIR: packageFile(git, "git", "usr/share/git-core/templates"),
  };
}

function packageFile(outcome: PackagesOutcome & { t: "ready" }, name: string, path: string): string {
  return join(outcome.packages.get(name)!.root, path);
}

function pluginDirs(env: NodeJS.ProcessEnv): string[] {
  const home = env.HOME ? [join(env.HOME, ".docker/cli-plugins")] : [];
  return [
    ...home,
    "/usr/local/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
  ];
}

async function findOnPath(
  env: NodeJS.ProcessEnv,
  names: readonly string[],
  moreDirs: readonly string[] = [],
): Promise<string | undefined> {
  const dirs = [...(env.PATH ?? "").split(delimiter).filter((dir) => dir !== ""), ...moreDirs];
  for (const name of names) {
    for (const dir of dirs) {
      const file = join(dir, name);
      if (await isExecutable(file)) return file;
    }
  }
  return undefined;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** A busybox on PATH that runs in an otherwise empty image: an ELF file that names no dynamic loader. */
async function staticBusybox(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const file = await findOnPath(env, ["busybox.static", "busybox"]);
  if (file === undefined) return undefined;
  const handle = await open(file);
  try {
    const head = Buffer.alloc(4_096);
    await handle.read(head, 0, head.length, 0);
    return head.includes("/ld-") ? undefined : file;
  } finally {
    await handle.close();
  }
}
