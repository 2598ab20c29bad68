import { BRIDGE_ID, SESSION_ID, SOLVE_ID, STATUS_ID, sendBuild } from "../raw-build.ts";
import { settled } from "../raw-http2/barrier.ts";
import { dataFrame, headersFrame } from "../raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "../raw-http2/raw-message.ts";
import type { RawPeer } from "../raw-http2/raw-peer.ts";
import { BUILD_CALLS, type Scene } from "./scene.ts";

const INFO = "/moby.buildkit.v1.Control/Info";
const HISTORY = "/moby.buildkit.v1.Control/ListenBuildHistory";

/** More than a stream's first window, so that some of it is always under way. */
const BODY = Buffer.alloc(65_535);

const EMPTY_MESSAGE = Buffer.alloc(5);

/** Whose build it is, and what is needed to bring it somewhere. */
export type Victim = Pick<Scene, "client" | "upstream" | "gate">;

/** How far a build has come when a fault strikes. */
export interface Stage {
  readonly name: string;
  /** Where its calls are: nowhere yet, in the queue, on a replica, or with the gateway itself. */
  readonly calls: "none" | "held" | "placed" | "answered by the gateway";
  /** Streams of the client's that are open. */
  readonly openIds: readonly number[];
  /** Bring the victim there. */
  readonly reach: (victim: Victim) => Promise<void>;
}

/** Every stage of a build, in its order. */
export const STAGES: readonly Stage[] = [
  { name: "connected", calls: "none", openIds: [], reach: async () => {} },
  {
    name: "Info answered",
    calls: "none",
    openIds: [],
    reach: async ({ client }) => {
      client.send(headersFrame(1, requestBlock(INFO)), dataFrame(1, EMPTY_MESSAGE, true));
      await readMessage(client, 1);
    },
  },
  {
    name: "queued",
    calls: "held",
    openIds: BUILD_CALLS,
    reach: async ({ client, gate }) => {
      gate.close();
      sendBuild(client, "victim");
      await gate.asked(2);
      await settled(client);
    },
  },
  {
    name: "context transfer",
    calls: "placed",
    openIds: BUILD_CALLS,
    reach: async (scene) => {
      await placed(scene);
      for (let at = 0; at < BODY.length; at += 16_000) {
        scene.client.send(dataFrame(SESSION_ID, BODY.subarray(at, at + 16_000)));
      }
    },
  },
  {
    name: "RUN",
    calls: "placed",
    openIds: BUILD_CALLS,
    reach: async (scene) => {
      const upstream = await placed(scene);
      upstream.send(dataFrame(STATUS_ID, Buffer.from("step 1")));
      await scene.client.nextOf("DATA", STATUS_ID);
    },
  },
  {
    name: "export",
    calls: "placed",
    openIds: BUILD_CALLS,
    reach: async (scene) => {
      const upstream = await placed(scene);
      for (let at = 0; at < BODY.length; at += 16_000) {
        upstream.send(dataFrame(SESSION_ID, BODY.subarray(at, at + 16_000)));
      }
      await scene.client.nextOf("DATA", SESSION_ID);
    },
  },
  {
    name: "history asked after the end",
    calls: "answered by the gateway",
    openIds: [11],
    reach: async (scene) => {
      const upstream = await placed(scene);
      scene.client.send(dataFrame(SESSION_ID, Buffer.alloc(0), true));
      endWell(upstream);
      for (const id of BUILD_CALLS) await readMessage(scene.client, id);
      scene.client.send(headersFrame(11, requestBlock(HISTORY)), dataFrame(11, EMPTY_MESSAGE, true));
      await settled(scene.client, upstream);
    },
  },
];

/** Bring the victim's build to its replica, where Session and Status have begun. */
async function placed(scene: Victim) {
  sendBuild(scene.client, "victim");
  const upstream = await scene.upstream;
  for (const id of BUILD_CALLS) await readHeaders(upstream, id);
  upstream.send(headersFrame(SESSION_ID, RESPONSE_BLOCK), headersFrame(STATUS_ID, RESPONSE_BLOCK));
  for (const id of [SESSION_ID, STATUS_ID]) await readHeaders(scene.client, id);
  return upstream;
}

/** A replica answers all calls of a build with success. */
export function endWell(upstream: RawPeer): void {
  for (const id of BUILD_CALLS) {
    const isBegun = id === SESSION_ID || id === STATUS_ID;
    upstream.send(...(isBegun ? [] : [headersFrame(id, RESPONSE_BLOCK)]), headersFrame(id, OK_BLOCK, true));
  }
}

/** What a stream of the victim's is called. */
export const CALL_NAMES: ReadonlyMap<number, string> = new Map([
  [SESSION_ID, "Session"],
  [STATUS_ID, "Status"],
  [SOLVE_ID, "Solve"],
  [BRIDGE_ID, "frontend"],
  [11, "history"],
]);
