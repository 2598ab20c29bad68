import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Address } from "../../../src/base/address.ts";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { Finding } from "../../../src/doctor/finding.ts";
import type { Target } from "../../../src/doctor/target.ts";
import type { IssuedCertificate } from "../../support/lab/certificates.ts";

/** A client's view of an address, with nothing that it trusts but these authorities. */
export function target(
  address: Address,
  more: Partial<Target> & { readonly authorities?: readonly string[] } = {},
): Target {
  const { authorities = [], ...rest } = more;
  return {
    address,
    origin: "--addr",
    wantsTls: authorities.length > 0,
    roots: { certificates: authorities.map((pem) => new X509Certificate(pem)), origin: "ca.pem", faults: [] },
    own: {},
    isPublic: () => false,
    lookup: async () => [{ address: "127.0.0.1", family: 4 }],
    ...rest,
  };
}

/** A certificate as a client gives it. */
export function ownOf({ cert, key }: IssuedCertificate): Target["own"] {
  return { cert: Buffer.from(cert), key: Buffer.from(key) };
}

/** Listen on a free port until the test ends. */
export async function listen(server: Server): Promise<Address & { t: "tcp" }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return { t: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A server that does this with each connection. */
export function serve(onConnection: (socket: Socket) => void): Promise<Address & { t: "tcp" }> {
  return listen(createServer(onConnection));
}

/** A clock that is faster than the machine's: what waits in vain is over sooner. */
export function fastClock(times: number): Clock {
  return {
    nowMs: () => systemClock.nowMs() * times,
    wallTime: () => systemClock.wallTime(),
    after: (delayMs, callback) => systemClock.after(delayMs / times, callback),
  };
}

/** Results by check: `{ connect: "ok", … }`. */
export function resultsOf(findings: readonly Finding[]): Record<string, string> {
  return Object.fromEntries(findings.map(({ check, outcome }) => [check, outcome.t]));
}

/** What was seen, and what to do, of one check. */
export function textOf(findings: readonly Finding[], check: string): string {
  const outcome = findings.find((finding) => finding.check === check)?.outcome;
  return outcome ? `${outcome.seen}${"fix" in outcome ? ` | ${outcome.fix}` : ""}` : "";
}
