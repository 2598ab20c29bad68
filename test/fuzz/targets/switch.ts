import { deepStrictEqual, ok } from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { acceptsBuilds } from "../../../src/replicas/replica.ts";
import { plausibleFrames } from "../../support/plausible-frames.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  FrameType,
  headersFrame,
  Setting,
  settingsFrame,
  unpadded,
  windowUpdateFrame,
} from "../../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK, requestBlock } from "../../support/raw-http2/grpc-fields.ts";
import { readHeaders } from "../../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../../support/raw-http2/raw-peer.ts";
import { Draw } from "../draw.ts";
import type { FuzzTarget, OpenTarget } from "../fuzz-target.ts";
import { type SwitchUnderFuzz, startSwitch } from "../switch-under-fuzz.ts";

/** How long what is left of an input may take to go. */
const PATIENCE_MS = 10_000;

/** Longer than a connection's goodbye may take. */
const GOODBYE_MS = 1_001;

/** Timers of the fleet's that are set now and then: one replica's checks have not more. What leaks adds up. */
const FLEET_TIMERS = 4;

/** Inputs between two looks at what is left. */
const LOOK_INTERVAL = 20;

const WIDE_WINDOW = [[Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]] as const;

/**
 * Whatever a client and its replica send, and however it is cut, another
 * client's call goes on through the same gateway to the same replica, and
 * nothing is left of the connections: no socket, no call, no timer, no build.
 */
export const target: FuzzTarget = {
  name: "switch",
  maxInputBytes: 1_500,
  shortRunInputs: 60,
  sources: [
    "dataplane/call.ts",
    "dataplane/client-calls.ts",
    "dataplane/client-upstreams.ts",
    "dataplane/congestion.ts",
    "dataplane/downstream-connection.ts",
    "dataplane/flood-meter.ts",
    "dataplane/forward-run.ts",
    "dataplane/frame-connection.ts",
    "dataplane/frame-writer.ts",
    "dataplane/header-reader.ts",
    "dataplane/held-body.ts",
    "dataplane/inbound-frames.ts",
    "dataplane/inbound-headers.ts",
    "dataplane/lost-calls.ts",
    "dataplane/request-reader.ts",
    "dataplane/session-tunnel.ts",
    "dataplane/stream.ts",
    "dataplane/stream-table.ts",
    "dataplane/upstream-connection.ts",
    "http2/header-rules.ts",
    "http2/settings.ts",
    "routing/build-groups.ts",
  ],
  slowMs: 3_000,
  hangMs: 60_000,
  open: () => SwitchTarget.open(),
};

class SwitchTarget implements OpenTarget {
  readonly #switch: SwitchUnderFuzz;
  readonly #neighbour: RawPeer;
  readonly #neighbourReplica: RawPeer;
  /** The replica's ends of fuzzed clients' connections, and what each is to say. */
  readonly #replicaSockets = new Set<Socket>();
  #replicaBytes: Buffer = Buffer.alloc(0);
  #timers = 0;
  #inputs = 0;

  private constructor(underFuzz: SwitchUnderFuzz, neighbour: RawPeer, neighbourReplica: RawPeer) {
    this.#switch = underFuzz;
    this.#neighbour = neighbour;
    this.#neighbourReplica = neighbourReplica;
    underFuzz.rig.replica.onSwitchSocket = (socket) => this.#answer(socket);
  }

  static async open(): Promise<SwitchTarget> {
    const underFuzz = await startSwitch({ admin: "127.0.0.1:0" });
    const { rig } = underFuzz;
    const neighbour = await rig.client(WIDE_WINDOW);
    neighbour.send(windowUpdateFrame(0, 2 ** 30), headersFrame(1, requestBlock()));
    const replica = await rig.replica.serve(WIDE_WINDOW);
    await readHeaders(replica, 1);
    replica.send(windowUpdateFrame(0, 2 ** 30), headersFrame(1, RESPONSE_BLOCK));
    await readHeaders(neighbour, 1);
    const open = new SwitchTarget(underFuzz, neighbour, replica);
    await open.#exchange();
    open.#timers = rig.clock.delaysMs.length;
    return open;
  }

  async run(input: Buffer): Promise<void> {
    const { rig } = this.#switch;
    const draw = new Draw(input);
    await this.#replicaReady();
    const client = await rig.silentClient();
    this.#replicaBytes = drawReplica(draw);
    const bytes = drawClient(draw);
    await sendInPieces(draw, client, bytes);
    await this.#exchange();
    for (let turns = draw.below(4); turns > 0; turns--) await turn();
    if (draw.chance(20)) client.socket.end();
    await client.destroy();
    await this.#exchange();
    await this.#until("the gateway's connections to the replica stay open", () => this.#replicaSockets.size === 0);
    if (this.#inputs++ % LOOK_INTERVAL === 0) await this.#look();
  }

  async close(): Promise<void> {
    await this.#neighbour.destroy();
    await this.#switch.close();
  }

  /** Say to the gateway what the replica was drawn to say. */
  #answer(socket: Socket): void {
    this.#replicaSockets.add(socket);
    socket.once("close", () => this.#replicaSockets.delete(socket));
    socket.resume().write(this.#replicaBytes);
  }

  /** A message each way on the neighbour's call. */
  async #exchange(): Promise<void> {
    await pass(this.#neighbour, this.#neighbourReplica);
    await pass(this.#neighbourReplica, this.#neighbour);
  }

  /** A replica whose connection broke gets no new call before it is checked again. */
  async #replicaReady(): Promise<void> {
    const { rig } = this.#switch;
    if (rig.fleet.replicas().every(acceptsBuilds)) return;
    rig.clock.advance(60_000);
    await rig.allReady();
  }

  async #look(): Promise<void> {
    const { rig } = this.#switch;
    await this.#replicaReady();
    // A goodbye has its second to arrive (frame-connection.ts); nothing else waits.
    rig.clock.advance(GOODBYE_MS);
    await this.#until("timers are left", () => rig.clock.delaysMs.length <= this.#timers + FLEET_TIMERS);
    const { port } = rig.gateway.admin as { port: number };
    const isClean = async () => {
      const { traffic } = (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as StatusAnswer;
      return traffic.connections === 1 && traffic.calls === 1;
    };
    ok(await this.#untilAsync(isClean), "connections or calls are left");
    deepStrictEqual(
      rig.fleet.replicas().map(({ runningBuilds }) => runningBuilds),
      [0],
    );
    for (const peer of [this.#neighbour, this.#neighbourReplica]) {
      deepStrictEqual(peer.flow.violations, []);
      // What a test does not take is kept.
      peer.received.length = 0;
    }
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    ok(await this.#untilAsync(async () => isSo()), what);
  }

  async #untilAsync(isSo: () => Promise<boolean>): Promise<boolean> {
    const startMs = performance.now();
    while (!(await isSo())) {
      if (performance.now() - startMs > PATIENCE_MS) return false;
      await turn();
    }
    return true;
  }
}

interface StatusAnswer {
  readonly traffic: { readonly connections: number; readonly calls: number };
}

let passed = 0;

/** Send something on stream 1 and see it arrive. */
async function pass(from: RawPeer, to: RawPeer): Promise<void> {
  const text = `${++passed}`;
  from.send(dataFrame(1, Buffer.from(text)));
  const frame = await to.next(({ type, streamId }) => streamId === 1 && type !== FrameType.WINDOW_UPDATE);
  deepStrictEqual([frame.type, unpadded(frame).toString()], [FrameType.DATA, text]);
}

function drawClient(draw: Draw): Buffer {
  const frames = plausibleFrames(draw.fraction, [1, 1, 3, 5, 7, 2], false);
  const hello = Buffer.concat([CLIENT_PREFACE, settingsFrame()]);
  if (draw.chance(10)) return damage(draw, Buffer.concat([hello, ...frames]));
  return Buffer.concat([hello, damage(draw, Buffer.concat(frames))]);
}

function drawReplica(draw: Draw): Buffer {
  if (draw.chance(30)) return settingsFrame();
  return Buffer.concat([
    settingsFrame(),
    damage(draw, Buffer.concat(plausibleFrames(draw.fraction, [1, 1, 3, 5], true))),
  ]);
}

/** Change some octets, or leave some out. */
function damage(draw: Draw, bytes: Buffer): Buffer {
  const damaged = Buffer.from(bytes);
  for (let left = draw.below(4); left > 0; left--) damaged[draw.below(damaged.length)] = draw.byte();
  if (!draw.chance(20)) return damaged;
  const at = draw.below(damaged.length);
  return Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + draw.below(40))]);
}

async function sendInPieces(draw: Draw, peer: RawPeer, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !peer.socket.destroyed; ) {
    const size = 1 + Math.floor(draw.fraction() ** 2 * bytes.length);
    if (!peer.socket.write(bytes.subarray(at, at + size)) && !peer.socket.destroyed) {
      await Promise.race([once(peer.socket, "drain"), peer.ended()]);
    }
    at += size;
    if (draw.chance(50)) await turn();
  }
}
