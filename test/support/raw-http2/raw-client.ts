import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { RawPeer } from "./raw-peer.ts";

/** A connection to a port of 127.0.0.1 that says nothing. `atEnd` is given the way to close it; default: the test's end does. */
export async function connectTo(port: number, atEnd: (close: () => void) => void = onTestFinished): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  atEnd(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** A client that has exchanged SETTINGS. */
export async function beginClient(
  port: number,
  settings: readonly (readonly [id: number, value: number])[] = [],
): Promise<RawPeer> {
  const client = new RawPeer(await connectTo(port), "client");
  client.begin("client", settings);
  await client.nextOf("SETTINGS");
  return client;
}
