import { BRIDGE_SOLVE, bridgeBlock, SOLVE, STATUS, sessionBlock, solveMessage, statusMessage } from "./build-calls.ts";
import { GatedPlacer } from "./gated-placer.ts";
import { settled } from "./raw-http2/barrier.ts";
import { dataFrame, headersFrame } from "./raw-http2/frames.ts";
import { requestBlock } from "./raw-http2/grpc-fields.ts";
import { fieldOf, type RawMessage, readMessage } from "./raw-http2/raw-message.ts";
import type { RawPeer } from "./raw-http2/raw-peer.ts";
import { type RigOptions, SwitchRig } from "./switch-rig.ts";

/** Streams of a build that {@link sendBuild} opens, in the order of their arrival. */
export const SESSION_ID = 1;
export const STATUS_ID = 3;
export const SOLVE_ID = 5;
export const BRIDGE_ID = 7;

/** Open all calls of a build: Session, Status, Solve and one of its frontend's. */
export function sendBuild(client: RawPeer, ref = "ref1"): void {
  const buildSession = `session of ${ref}`;
  client.send(headersFrame(SESSION_ID, sessionBlock(buildSession)));
  sendStatus(client, STATUS_ID, ref);
  client.send(
    headersFrame(SOLVE_ID, requestBlock(SOLVE)),
    dataFrame(SOLVE_ID, solveMessage({ ref, buildSession }), true),
  );
  sendBridge(client, BRIDGE_ID, BRIDGE_SOLVE, ref);
}

export function sendStatus(client: RawPeer, streamId: number, ref: string): void {
  client.send(headersFrame(streamId, requestBlock(STATUS)), dataFrame(streamId, statusMessage(ref), true));
}

/** A frontend's call with an empty message. */
export function sendBridge(client: RawPeer, streamId: number, path: string, ref: string): void {
  client.send(headersFrame(streamId, bridgeBlock(path, ref)), dataFrame(streamId, Buffer.alloc(5), true));
}

/** A gateway whose builds are held until the test opens its gate. */
export async function startGated(options: RigOptions = {}): Promise<{ rig: SwitchRig; gate: GatedPlacer }> {
  let gate: GatedPlacer | undefined;
  const wrapPlacer: RigOptions["wrapPlacer"] = (usual) => {
    gate = new GatedPlacer(usual);
    return gate;
  };
  const rig = await SwitchRig.start({ ...options, wrapPlacer });
  return { rig, gate: gate! };
}

/** A client with all calls of one build open, which is held. */
export async function holdBuild(
  options: RigOptions = {},
  ofClient: Parameters<SwitchRig["client"]>[0] = [],
): Promise<{ rig: SwitchRig; gate: GatedPlacer; client: RawPeer }> {
  const { rig, gate } = await startGated(options);
  const client = await rig.client(ofClient);
  sendBuild(client);
  await gate.asked(1);
  await settled(client);
  return { rig, gate, client };
}

/** The `grpc-status` that ended a call. */
export function statusOf({ headers }: RawMessage): string | undefined {
  return fieldOf(headers.at(-1), "grpc-status");
}

/** The `grpc-message` that ended a call, decoded; empty where there was none. */
export function messageOf({ headers }: RawMessage): string {
  return decodeURIComponent(fieldOf(headers.at(-1), "grpc-message") ?? "");
}

/** Split a body into its messages. */
export function messagesOf(body: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + 5, end));
    at = end;
  }
  return messages;
}

/** How a call ends. */
export async function endOf(client: RawPeer, streamId: number): Promise<string | undefined> {
  return statusOf(await readMessage(client, streamId));
}
