/** Where a registry is. */
export interface RegistryName {
  /** A host's name or an IP address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
  /** No port was named: plain HTTP would go to port 80. */
  readonly isDefaultPort: boolean;
}

const DEFAULT_PORT = 443;

/** Where `docker.io` is (moby/buildkit util/resolver/resolver.go, NewRegistryConfig). */
const DOCKER_HUB = "registry-1.docker.io";

/**
 * Read `harbor.sonda.red.intra`, `harbor:5000` or `[::1]:5000`, as image names write a registry: without a scheme or path.
 *
 * `undefined` for anything else. The port is 443 where none is given. `docker.io` is the host that serves it.
 */
export function readRegistryName(text: string): RegistryName | undefined {
  const match = /^(?:([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))|\[([0-9A-Fa-f:.]{2,45})\])(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  const host = text === "docker.io" ? DOCKER_HUB : (match[1] ?? match[2])!;
  return { host, port, isDefaultPort: match[3] === undefined };
}
