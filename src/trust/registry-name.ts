/** Where a registry is. */
export interface RegistryName {
  /** A host's name or an IP address, an IPv6 one without brackets. */
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 443;

/**
 * Read `harbor.sonda.red.intra`, `harbor:5000` or `[::1]:5000`, as image names write a registry: without a scheme or path.
 *
 * `undefined` for anything else. The port is 443 where none is given.
 */
export function readRegistryName(text: string): RegistryName | undefined {
  const match = /^(?:([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}))|\[([0-9A-Fa-f:.]{2,45})\])(?::(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const port = match[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  return { host: (match[1] ?? match[2])!, port };
}
