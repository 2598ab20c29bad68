/**
 * What a key of buildkitd.toml may hold: more keys, the same keys under any name (`*`), or a value. From the `toml` tags
 * of Config and what it is made of: moby/buildkit, cmd/buildkitd/config/config.go and util/resolver/config/config.go,
 * August 2026, without the deprecated ones.
 */
interface KnownKeys {
  readonly [key: string]: KnownKeys | "value";
}

const values = (...names: string[]): KnownKeys => Object.fromEntries(names.map((name) => [name, "value"]));

const GC = {
  ...values("gc", "reservedSpace", "maxUsedSpace", "minFreeSpace"),
  gcpolicy: values("all", "filters", "keepDuration", "reservedSpace", "maxUsedSpace", "minFreeSpace"),
};
const NETWORK = values("networkMode", "cniConfigPath", "cniBinaryPath", "cniPoolSize", "bridgeName", "bridgeSubnet");
const ANY_NAME = values("*");

const KEYS: KnownKeys = {
  ...values("root", "insecure-entitlements", "proxyNetwork", "provenanceEnvDir"),
  log: values("format", "level"),
  grpc: {
    ...values("address", "debugAddress", "uid", "gid", "securityDescriptor"),
    tls: values("cert", "key", "ca"),
  },
  otel: values("socketPath"),
  cdi: values("disabled", "specDirs", "autoAllowed"),
  worker: {
    oci: {
      ...values(
        "enabled",
        "platforms",
        "snapshotter",
        "rootless",
        "noProcessSandbox",
        "binary",
        "proxySnapshotterPath",
      ),
      ...values("defaultCgroupParent", "apparmor-profile", "selinux", "max-parallelism"),
      ...GC,
      ...NETWORK,
      labels: ANY_NAME,
      stargzSnapshotter: ANY_NAME,
    },
    containerd: {
      ...values("address", "enabled", "platforms", "namespace", "snapshotter", "apparmor-profile", "selinux"),
      ...values("max-parallelism", "defaultCgroupParent", "rootless"),
      ...GC,
      ...NETWORK,
      labels: ANY_NAME,
      runtime: { ...values("name", "path"), options: ANY_NAME },
    },
  },
  registry: { "*": { ...values("mirrors", "http", "insecure", "ca", "tlsconfigdir"), keypair: values("key", "cert") } },
  dns: values("nameservers", "options", "searchDomains"),
  history: values("maxAge", "maxEntries"),
  frontend: { "dockerfile.v0": values("enabled"), "gateway.v0": values("enabled", "allowedRepositories") },
  system: values("platformsCacheMaxAge", "maxRegistryConcurrency"),
};

/** Paths of the keys that buildkitd would ignore without a word. */
export function unknownBuildkitdKeys(tree: object, known: KnownKeys = KEYS, path = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const here = `${path}${key}`;
    const inside = known[key] ?? known["*"];
    if (inside === undefined) return [here];
    const parts: unknown[] = Array.isArray(value) ? value : [value];
    if (inside === "value") return parts.some(isTable) ? [`${here} (a table)`] : [];
    return parts.flatMap((part) => (isTable(part) ? unknownBuildkitdKeys(part, inside, `${here}.`) : [here]));
  });
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
