import type { LookupAddress } from "node:dns";
import { connect, isIP } from "node:net";
import { type Address, formatAddress, hostPort } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { errorText } from "../base/system-error.ts";
import type { Answer } from "./steps.ts";
import type { Target } from "./target.ts";

/** Addresses of one name that are tried. */
const MAX_ADDRESSES = 16;

/** Find the addresses that the target's name has. Never rejects. */
export async function resolveName({ address, lookup }: Target, clock: Clock): Promise<Answer<readonly Address[]>> {
  if (address.t === "unix") return { outcome: { t: "skipped", seen: "a socket has no name" }, value: [address] };
  const { host, port } = address;
  if (isIP(host) !== 0) return { outcome: { t: "skipped", seen: "an address is given" }, value: [address] };
  const startMs = clock.nowMs();
  let found: readonly LookupAddress[];
  try {
    found = await lookup(host);
  } catch (reason) {
    const { code = "unknown error" } = reason as NodeJS.ErrnoException;
    const isUnknown = code === "ENOTFOUND" || code === "EAI_NODATA";
    const seen = isUnknown ? `${host} has no address (${code})` : `${host} could not be looked up: ${code}`;
    const fix = isUnknown
      ? "check the name, its namespace, and that the Service is there; outside the cluster name another address"
      : "check the resolver (/etc/resolv.conf) and the way to it";
    return { outcome: { t: "failure", seen, fix } };
  }
  if (found.length === 0) {
    const fix = "check that the Service has pods that are ready";
    return { outcome: { t: "failure", seen: `${host} has no address`, fix } };
  }
  const named = found.slice(0, MAX_ADDRESSES).map((known) => `${known.address} (IPv${known.family})`);
  const rest = found.length > MAX_ADDRESSES ? [`and ${found.length - MAX_ADDRESSES} more`] : [];
  const seen = `${host} is ${[...named, ...rest].join(", ")}, in ${elapsedMs(clock, startMs)} ms`;
  const value = found.slice(0, MAX_ADDRESSES).map((known): Address => ({ t: "tcp", host: known.address, port }));
  return { outcome: { t: "ok", seen }, value };
}

/** What came of connecting to one address. */
interface Attempt {
  readonly address: Address;
  readonly isReached: boolean;
  readonly seen: string;
  readonly code?: string;
}

const FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check the port, and that the gateway runs and is ready",
  ENOENT: "no such socket: check the path, and that the gateway or buildkitd runs",
  EACCES: "the socket is not for this user: check its mode and owner",
};

/** Connect to every address; the value is the first that can be reached. Never rejects. */
export async function connectAll(
  addresses: readonly Address[],
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Answer<Address>> {
  const attempts = await Promise.all(addresses.map((address) => attempt(address, clock, timeoutMs)));
  const seen = attempts.map((each) => each.seen).join("; ");
  const reached = attempts.find(({ isReached }) => isReached);
  const lost = attempts.find(({ isReached }) => !isReached);
  const fix = FIXES[lost?.code ?? ""] ?? "check routes, firewalls and network policies on the way";
  if (!reached) return { outcome: { t: "failure", seen, fix } };
  if (!lost) return { outcome: { t: "ok", seen }, value: reached.address };
  return { outcome: { t: "warning", seen, fix: `clients lose time there: ${fix}` }, value: reached.address };
}

function attempt(address: Address, clock: Clock, timeoutMs: number): Promise<Attempt> {
  const where = address.t === "unix" ? formatAddress(address) : hostPort(address.host, address.port);
  const startMs = clock.nowMs();
  return new Promise((resolve) => {
    const socket = connect(address.t === "unix" ? { path: address.path } : address);
    const end = (isReached: boolean, said: string, code?: string): void => {
      cancel();
      socket.destroy();
      resolve({ address, isReached, seen: `${where} ${said}`, ...(code !== undefined && { code }) });
    };
    const cancel = clock.after(timeoutMs, () => end(false, `does not answer within ${timeoutMs} ms`));
    socket.once("connect", () => end(true, `answers in ${elapsedMs(clock, startMs)} ms`));
    socket.on("error", (reason: NodeJS.ErrnoException) =>
      end(false, `cannot be reached: ${errorText(reason)}`, reason.code),
    );
  });
}

function elapsedMs(clock: Clock, startMs: number): number {
  return Math.round(clock.nowMs() - startMs);
}
