import { once } from "node:events";
import type { Socket } from "node:net";
import { messageOf, SOLVE_ID, statusOf } from "../raw-build.ts";
import { ping } from "../raw-http2/barrier.ts";
import { FrameType } from "../raw-http2/frames.ts";
import { readMessage } from "../raw-http2/raw-message.ts";
import type { Scene } from "./scene.ts";
import { CALL_NAMES, endWell, type Stage } from "./stages.ts";

/** What breaks. */
export interface Fault {
  readonly name: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** The client comes over a line that can be made slow. */
  readonly isRelayed?: boolean;
  /** Break it; resolves with what the victim has seen, once there is no more to see. */
  readonly strike: (scene: Scene, stage: Stage) => Promise<string>;
  /** What the victim sees. */
  readonly shows: (stage: Stage) => string | RegExp;
}

const GOES_ON = "goes on";

/** What a user reads of a lost build: the first line is the Solve's. */
const lost = (reason: string) => new RegExp(`^Solve 14 \\(${reason}\\), frontend 14, Status 0, Session 0$`);

/** What is said where a replica's connection has gone. */
const lostByReplica =
  (reason: string) =>
  ({ calls }: Stage): string | RegExp =>
    calls === "placed" ? lost(`replica r[12] went away: ${reason}`) : GOES_ON;

/** Every fault. */
export const FAULTS: readonly Fault[] = [
  {
    name: "client gone (RST)",
    strike: (scene, stage) => leave(scene, stage, (socket) => socket.resetAndDestroy()),
    shows: ({ calls }) => (calls === "placed" ? "cancelled at its replica" : "gone"),
  },
  {
    name: "client half-closed (FIN)",
    strike: (scene, stage) => leave(scene, stage, (socket) => socket.end()),
    shows: ({ calls }) => (calls === "placed" ? "cancelled at its replica" : "gone"),
  },
  {
    name: "replica killed",
    strike: (scene, stage) => {
      scene.home.kill();
      return answers(scene, stage);
    },
    shows: lostByReplica("(read ECONNRESET|connection closed by peer)"),
  },
  {
    name: "replica's connection reset",
    strike: async (scene, stage) => {
      if (stage.calls === "placed") ((await scene.upstream).socket as Socket).resetAndDestroy();
      return answers(scene, stage);
    },
    shows: lostByReplica("(read ECONNRESET|connection closed by peer)"),
  },
  {
    name: "replica frozen",
    settings: { HEALTH_INTERVAL: "100ms", HEALTH_TIMEOUT: "300ms", HEALTH_FAILURES: "1", HEALTH_FROZEN_AFTER: "500ms" },
    strike: async (scene, stage) => {
      scene.home.grpc.behaviour.isSilent = true;
      return answers(scene, stage);
    },
    shows: lostByReplica("silent for 500ms \\(health\\.frozenAfter\\), and out: .+"),
  },
  {
    name: "slow network",
    isRelayed: true,
    strike: async (scene, stage) => {
      scene.relay!.slow(50, 2 ** 18);
      if (stage.calls === "placed") endWell(await scene.upstream);
      return answers(scene, stage);
    },
    shows: endsWell,
  },
  {
    name: "no connection to spare",
    settings: { LIMITS_CONNECTIONS: "3" },
    strike: async (scene, stage) => {
      const last = await scene.rig.client();
      const refused = await scene.rig.socket();
      await once(refused.resume(), "close");
      if (stage.calls === "placed") endWell(await scene.upstream);
      const seen = await answers(scene, stage);
      await last.destroy();
      return seen;
    },
    shows: endsWell,
  },
  {
    name: "gateway SIGTERM, grace over",
    settings: { DRAIN_GRACE: "300ms" },
    strike: async (scene, stage) => {
      // As `serve` does: drain, then stop.
      const { gateway } = scene.rig;
      const stopped = gateway.drain(0).then(() => gateway.stop());
      await scene.neighbourGoesOn();
      const seen = await endings(scene, stage);
      const { payload } = await scene.client.nextOf("GOAWAY");
      await stopped;
      return [seen, `GOAWAY ${payload.readUInt32BE(4)}`].filter(Boolean).join("; ");
    },
    shows: ({ calls }) => {
      const reason = "\\(the gateway has been stopped\\)";
      if (calls === "none") return "GOAWAY 0";
      if (calls === "answered by the gateway") return new RegExp(`^history 14 ${reason}; GOAWAY 0$`);
      return new RegExp(`^Solve 14 ${reason}, frontend 14, Status 0, Session 0; GOAWAY 0$`);
    },
  },
];

/** What a build shows that nothing happens to. */
function endsWell({ calls }: Stage): string {
  return calls === "placed" ? "Solve 0, frontend 0, Status 0, Session 0" : GOES_ON;
}

/** The client leaves; resolves when its connection has gone, and its calls at the replica. */
async function leave(scene: Scene, stage: Stage, by: (socket: Socket) => void): Promise<string> {
  by(scene.client.socket as Socket);
  await scene.client.ended();
  if (stage.calls !== "placed") return "gone";
  const upstream = await scene.upstream;
  for (const id of stage.openIds) await upstream.nextOf("RST_STREAM", id);
  await upstream.ended();
  return "cancelled at its replica";
}

/** How the victim's calls end, or that they go on: those that no fault of a replica's can end. */
async function answers(scene: Scene, stage: Stage): Promise<string> {
  if (stage.calls === "placed") return endings(scene, stage);
  if (stage.calls === "held") await scene.leaveQueue();
  await ping(scene.client);
  const ends = scene.client.received.filter(({ type }) => type === FrameType.GOAWAY || type === FrameType.RST_STREAM);
  return ends.length === 0 ? GOES_ON : "ended";
}

/** What each open call ends with; of the Solve, or the only call, also the message. */
async function endings({ client }: Scene, { openIds }: Stage): Promise<string> {
  const told = [...openIds].reverse().map(async (id) => {
    const message = await readMessage(client, id, { isGranting: true });
    const reason = messageOf(message);
    const isShown = reason !== "" && (id === SOLVE_ID || openIds.length === 1);
    return `${CALL_NAMES.get(id)} ${statusOf(message) ?? `reset ${message.resetCode}`}${isShown ? ` (${reason})` : ""}`;
  });
  const [bridge, solve, ...others] = await Promise.all(told);
  return (solve === undefined ? [bridge] : [solve, bridge, ...others]).filter(Boolean).join(", ");
}
