import { expect } from "vitest";
import { settled } from "./raw-http2/barrier.ts";
import { headersFrame, Setting, windowUpdateFrame } from "./raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "./raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "./raw-http2/raw-message.ts";
import type { RawPeer } from "./raw-http2/raw-peer.ts";
import { SwitchRig } from "./switch-rig.ts";

type Settings = readonly (readonly [id: number, value: number])[];

/** SETTINGS that let streams begin with this window. */
export const initialWindow = (bytes: number): Settings => [[Setting.INITIAL_WINDOW_SIZE, bytes]];

/** Large enough for anything in a test to pass at connection level. */
const OPEN_CONNECTION = windowUpdateFrame(0, 2 ** 30);

/** A client and the replica's end of its calls, with `streams` of them open and nothing of their bodies sent. */
export async function openCalls(rig: SwitchRig, streams: number, ofClient: Settings = [], ofReplica: Settings = []) {
  const client = await rig.client(ofClient);
  client.send(OPEN_CONNECTION);
  const ids = Array.from({ length: streams }, (_, i) => 1 + 2 * i);
  client.send(...ids.map((id) => headersFrame(id, requestBlock())));
  const replica = await rig.replica.serve(ofReplica);
  replica.send(OPEN_CONNECTION);
  for (const id of ids) await readHeaders(replica, id);
  await settled(client, replica);
  return { client, replica };
}

/** A connection on which stream 1 is open and stream 3 is over, both ways. */
export async function someStreams(): Promise<{ rig: SwitchRig; client: RawPeer; replica: RawPeer }> {
  const rig = await SwitchRig.start();
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock()), headersFrame(3, requestBlock(), true));
  const replica = await rig.replica.serve();
  await readHeaders(replica, 1);
  await readMessage(replica, 3);
  replica.send(headersFrame(3, RESPONSE_BLOCK), headersFrame(3, OK_BLOCK, true));
  await readMessage(client, 3);
  return { rig, client, replica };
}

/** Nobody was sent more than was allowed. */
export function expectKept(...peers: RawPeer[]): void {
  for (const peer of peers) expect(peer.flow.violations).toEqual([]);
}
