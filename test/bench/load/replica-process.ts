import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { listenPlain, listenTls } from "./fast-socket.ts";
import { answerParent, type Sample } from "./parent.ts";
import { ReplicaConnection, received } from "./replica-connection.ts";

/** What the replica can be told. */
export type ReplicaCommand =
  | { readonly t: "listen"; readonly certPath: string; readonly keyPath: string }
  | { readonly t: "sample" };

/** Where the replica listens. */
export interface ReplicaPorts {
  readonly plain: number;
  readonly tls: number;
}

function accept(socket: Socket): (bytes: Buffer, count: number) => void {
  const connection = new ReplicaConnection(socket);
  return (bytes, count) => connection.receive(bytes, count);
}

answerParent<ReplicaCommand, ReplicaPorts | Sample>(async (command) => {
  if (command.t === "sample") return { count: received.upBytes, atMs: performance.now() };
  const certificate = { cert: readFileSync(command.certPath), key: readFileSync(command.keyPath) };
  return { plain: await listenPlain(accept), tls: await listenTls(certificate, accept) };
});
