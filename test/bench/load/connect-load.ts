import { readFileSync } from "node:fs";
import tls from "node:tls";
import { CLIENT_PREFACE, settingsFrame } from "../../support/raw-http2/frames.ts";
import { tlsClientOptions } from "./fast-socket.ts";
import type { Load, LoadTarget } from "./load.ts";

/** A client's certificate and key. */
export interface ClientCertificate {
  readonly certPath: string;
  readonly keyPath: string;
}

/** Connections that are being opened at once. */
const AT_ONCE = 8;

const GREETING = Buffer.concat([CLIENT_PREFACE, settingsFrame([])]);

/**
 * Open TLS connections with a client certificate, without resuming sessions; each counts once the first bytes
 * of the server's have come, since a client of TLS 1.3 is done before the server has looked at its certificate.
 */
export async function startConnectLoad(target: LoadTarget, { certPath, keyPath }: ClientCertificate): Promise<Load> {
  const credentials = tls.createSecureContext({ cert: readFileSync(certPath), key: readFileSync(keyPath) });
  const open = new Set<tls.TLSSocket>();
  let connects = 0;
  let failure: Error | undefined;
  let isStopping = false;
  const connect = (): void => {
    if (isStopping || failure) return;
    const socket = tls.connect({ ...tlsClientOptions(target.port), secureContext: credentials });
    open.add(socket);
    let isDone = false;
    socket.on("secureConnect", () => socket.write(GREETING));
    socket.once("data", () => {
      isDone = true;
      connects++;
      socket.destroy();
    });
    socket.on("error", (cause) => {
      if (!isDone) failure ??= cause;
    });
    socket.once("close", () => {
      open.delete(socket);
      if (!isDone && !isStopping) failure ??= new Error("a connection was closed before it was served");
      connect();
    });
  };
  for (let index = 0; index < AT_ONCE; index++) connect();
  return {
    count: () => connects,
    failure: () => failure,
    takeLatency: () => undefined,
    async stop() {
      isStopping = true;
      for (const socket of open) socket.destroy();
      if (failure) throw failure;
    },
  };
}
