/** Where something listens: `tcp://host:port` (IPv6 in brackets) or `unix:///path`. */
export type Address =
  | { readonly t: "tcp"; readonly host: string; readonly port: number }
  | { readonly t: "unix"; readonly path: string };

/** Longest path a unix socket may have on Linux, without its terminating zero (unix(7)). */
const MAX_UNIX_PATH_BYTES = 107;

/**
 * Read an address as buildkitd and buildx write it.
 *
 * Port 0 is allowed: a listener then takes a free one. Throws an Error whose
 * message says what is wrong and how to write it.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    if (!path.startsWith("/")) throw new Error(`not an absolute socket path: "${text}" (write unix:///run/x.sock)`);
    if (Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
      throw new Error(`socket path longer than ${MAX_UNIX_PATH_BYTES} bytes: "${text}"`);
    }
    return { t: "unix", path };
  }
  const match = /^tcp:\/\/(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]*)):(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new Error(`not an address: "${text}" (write tcp://host:port or unix:///path)`);
  return { t: "tcp", host: match[1] ?? match[2] ?? "", port };
}

/** The inverse of {@link parseAddress}. */
export function formatAddress(address: Address): string {
  if (address.t === "unix") return `unix://${address.path}`;
  return `tcp://${hostPort(address.host, address.port)}`;
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
