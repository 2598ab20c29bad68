import { scanToml, stringsOfArray } from "./toml-scan.ts";

/** What a buildkitd.toml says of one registry (moby/buildkit util/resolver/config/config.go). */
export interface DaemonRegistry {
  readonly caFiles: readonly string[];
  /** Folders whose `.crt` files are authorities as well. */
  readonly caDirs: readonly string[];
  /** Asked before it, for pulls; each with the settings of its own entry. As written, without scheme and path. */
  readonly mirrors: readonly string[];
  /** Absent: TLS, except to this machine itself. */
  readonly http?: boolean;
  readonly insecure?: boolean;
}

/** A registry's settings, or the line that cannot be read. */
export type DaemonRegistryOutcome =
  | { readonly t: "read"; readonly registry: DaemonRegistry }
  | { readonly t: "malformed"; readonly line: number; readonly reason: string };

/** Read what a buildkitd.toml says of a registry, whose name must be written as there: `harbor:5000`. */
export function readDaemonRegistry(text: string, name: string): DaemonRegistryOutcome {
  const scan = scanToml(text);
  if (scan.t === "malformed") return scan;
  const entryOf = (key: string) =>
    scan.entries.find(({ path }) => path.length === 3 && path[0] === "registry" && path[1] === name && path[2] === key);
  const lists = ["ca", "tlsconfigdir", "mirrors"].map((key) => {
    const entry = entryOf(key);
    const strings = entry ? stringsOfArray(text, entry) : [];
    return strings?.map(({ value }) => value) ?? { key, at: entry!.keyStart };
  });
  const odd = lists.find((list) => !Array.isArray(list));
  if (odd && "key" in odd) {
    const line = text.slice(0, odd.at).split("\n").length;
    return { t: "malformed", line, reason: `${odd.key} is not an array of strings` };
  }
  const [caFiles, caDirs, mirrors] = lists as [string[], string[], string[]];
  const claimOf = (key: string): boolean | undefined => {
    const entry = entryOf(key);
    return entry && text.slice(entry.valueStart, entry.valueEnd) === "true";
  };
  const http = claimOf("http");
  const insecure = claimOf("insecure");
  const registry: DaemonRegistry = {
    caFiles,
    caDirs,
    mirrors: mirrors.map(hostOfMirror),
    ...(http !== undefined && { http }),
    ...(insecure !== undefined && { insecure }),
  };
  return { t: "read", registry };
}

/**
 * Whether buildkitd speaks plain HTTP to a registry: told to, or not told otherwise and the registry is this machine
 * itself (moby/buildkit util/resolver/resolver.go, fillInsecureOpts; containerd's MatchLocalhost).
 */
export function isPlainHttp({ http }: DaemonRegistry, host: string): boolean {
  return http ?? (host === "localhost" || host === "::1" || /^127\./.test(host));
}

/** `https://harbor:5000/proxy/` is `harbor:5000` (moby/buildkit util/resolver/utils.go, extractMirrorHostAndPath). */
function hostOfMirror(mirror: string): string {
  return mirror.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/.*$/, "");
}
