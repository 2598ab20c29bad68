import type { Server } from "node:net";
import type { Address } from "./address.ts";
import { removeStaleSocket } from "./stale-socket.ts";

/**
 * Begin to listen; the answer has the real port. A unix socket that nobody
 * listens on any more is replaced. Rejects with Node's own error; what fails
 * later is told to `onError`.
 */
export async function listenOn(server: Server, address: Address, onError: (error: Error) => void): Promise<Address> {
  if (address.t === "unix") await removeStaleSocket(address.path);
  const target =
    address.t === "unix"
      ? { path: address.path }
      : { ...(address.host !== "" && { host: address.host }), port: address.port };
  return await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(target, () => {
      server.off("error", reject);
      server.on("error", onError);
      const bound = server.address();
      const isTcp = address.t === "tcp" && bound !== null && typeof bound === "object";
      resolve(isTcp ? { ...address, port: bound.port } : address);
    });
  });
}

/** As Go listeners and dialers have it: a peer that vanished without a word is noticed in about 2.5 minutes. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 15_000 };

/** How the connections of clients are accepted: nothing is read until somebody says so. */
export const CLIENT_SOCKETS = { pauseOnConnect: true, noDelay: true, ...KEEP_ALIVE } as const;
