import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { RawPeer } from "./raw-peer.ts";

/** A connection to a port of 127.0.0.1 that says nothing; it is closed when the test is over. */
export async function connectTo(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
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
