import { onTestFinished } from "vitest";
import { hostPort } from "../../../src/base/address.ts";
import { GatedPlacer } from "../gated-placer.ts";
import { BRIDGE_ID, SESSION_ID, SOLVE_ID, STATUS_ID, sendBuild } from "../raw-build.ts";
import { dataFrame, Flag, FrameType, headersFrame, pingFrame, settingsAckFrame } from "../raw-http2/frames.ts";
import { RESPONSE_BLOCK } from "../raw-http2/grpc-fields.ts";
import { beginClient } from "../raw-http2/raw-client.ts";
import { readHeaders } from "../raw-http2/raw-message.ts";
import type { RawPeer } from "../raw-http2/raw-peer.ts";
import type { ScriptedReplica } from "../scripted-replica.ts";
import { SwitchRig } from "../switch-rig.ts";
import { CountingClock } from "./counting-clock.ts";
import { SlowRelay } from "./slow-relay.ts";

/** What a gateway has open, for before and after. */
export interface Counts {
  readonly clients: number;
  readonly calls: number;
  readonly queued: number;
  readonly runningBuilds: number;
  readonly replicaSockets: number;
  readonly timers: number;
}

/** A build of another client's, from end to end. */
interface Neighbour {
  readonly client: RawPeer;
  readonly replica: RawPeer;
}

type SceneParts = Pick<Scene, "rig" | "gate" | "clock" | "relay" | "client" | "home" | "upstream" | "before"> & {
  readonly neighbour: Neighbour;
};

/** Streams of a build. */
export const BUILD_CALLS = [SESSION_ID, STATUS_ID, SOLVE_ID, BRIDGE_ID];

/**
 * A gateway in this process, on the machine's clock, with two replicas: a
 * neighbour's build runs on one, and the victim's is to run on the other.
 */
export class Scene {
  readonly rig: SwitchRig;
  readonly gate: GatedPlacer;
  readonly clock: CountingClock;
  /** Between client and gateway, where there is one. */
  readonly relay: SlowRelay | undefined;
  readonly client: RawPeer;
  /** The replica that the victim's build goes to, and its end of the victim's connection once there is one. */
  readonly home: ScriptedReplica;
  readonly upstream: Promise<RawPeer>;
  readonly before: Counts;
  readonly #neighbour: Neighbour;

  private constructor(parts: SceneParts) {
    this.rig = parts.rig;
    this.gate = parts.gate;
    this.clock = parts.clock;
    this.relay = parts.relay;
    this.client = parts.client;
    this.home = parts.home;
    this.upstream = parts.upstream;
    this.before = parts.before;
    this.#neighbour = parts.neighbour;
  }

  /** Everything is stopped when the test is over. */
  static async start(settings: Readonly<Record<string, string>>, isRelayed: boolean): Promise<Scene> {
    const clock = new CountingClock();
    let gate: GatedPlacer | undefined;
    const rig = await SwitchRig.start({
      replicas: 2,
      admin: "127.0.0.1:0",
      settings,
      parts: { clock },
      wrapPlacer: (usual) => {
        gate = new GatedPlacer(usual);
        gate.open();
        return gate;
      },
    });
    const arrivals = rig.replicas.map(async (replica, index) => ({ index, peer: await replica.serve() }));
    const neighbour = await rig.client();
    sendBuild(neighbour, "neighbour");
    const { index, peer } = await Promise.race(arrivals);
    // On a busy machine its health checks may be late, too: it is alive all the same.
    answerPings(peer).catch(() => {});
    for (const id of BUILD_CALLS) await readHeaders(peer, id);
    peer.send(settingsAckFrame(), headersFrame(SESSION_ID, RESPONSE_BLOCK), headersFrame(STATUS_ID, RESPONSE_BLOCK));
    for (const id of [SESSION_ID, STATUS_ID]) await readHeaders(neighbour, id);
    const before = await countsOf(rig, clock);
    const relay = isRelayed ? await SlowRelay.start(rig.address.port) : undefined;
    if (relay) onTestFinished(() => relay.stop());
    const client = await beginClient(relay?.port ?? rig.address.port);
    const other = 1 - index;
    const upstream = arrivals[other]!.then((arrival) => arrival.peer);
    const home = rig.replicas[other]!;
    const neighbourBuild = { client: neighbour, replica: peer };
    return new Scene({ rig, gate: gate!, clock, relay, client, home, upstream, before, neighbour: neighbourBuild });
  }

  /** What the gateway has open now. */
  counts(): Promise<Counts> {
    return countsOf(this.rig, this.clock);
  }

  /** What is left of a gateway that has been stopped. */
  async countsWhenStopped(): Promise<Counts> {
    const replicaSockets = this.rig.replicas.reduce((total, { openSwitchSockets }) => total + openSwitchSockets, 0);
    return { clients: 0, calls: 0, queued: 0, runningBuilds: 0, replicaSockets, timers: this.clock.timers };
  }

  /** Let the victim's build out of the queue; resolves when it is connected to a replica, whichever. */
  async leaveQueue(): Promise<void> {
    const others = this.rig.replicas.filter((replica) => replica !== this.home).map((replica) => replica.serve());
    this.gate.open();
    await Promise.race([this.upstream, ...others]);
  }

  /** Fails where the neighbour's build does not go on, both ways. */
  async neighbourGoesOn(): Promise<void> {
    const { client, replica } = this.#neighbour;
    client.send(dataFrame(SESSION_ID, Buffer.from("up")));
    await replica.nextOf("DATA", SESSION_ID);
    replica.send(dataFrame(STATUS_ID, Buffer.from("down")));
    await client.nextOf("DATA", STATUS_ID);
  }
}

async function answerPings(peer: RawPeer): Promise<void> {
  for (;;) {
    const { payload } = await peer.next(({ type, flags }) => type === FrameType.PING && !(flags & Flag.ACK));
    peer.send(pingFrame(payload, true));
  }
}

async function countsOf(rig: SwitchRig, clock: CountingClock): Promise<Counts> {
  const { host, port } = rig.gateway.admin as { host: string; port: number };
  const response = await fetch(`http://${hostPort(host, port)}/metrics`, { headers: { connection: "close" } });
  const text = await response.text();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, "gm"))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    );
  return {
    clients: sum("bkgw_connections"),
    calls: sum("bkgw_calls"),
    queued: sum("bkgw_queued_builds"),
    runningBuilds: sum("bkgw_replica_running_builds"),
    replicaSockets: rig.replicas.reduce((total, { openSwitchSockets }) => total + openSwitchSockets, 0),
    timers: clock.timers,
  };
}
