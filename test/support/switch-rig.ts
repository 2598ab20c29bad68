import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { Address } from "../../src/base/address.ts";
import { type Logger, silentLog } from "../../src/base/log.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { OnReadDoor } from "../../src/dataplane/onread-door.ts";
import { type Gateway, type GatewayParts, startGateway } from "../../src/gateway.ts";
import type { Fleet } from "../../src/replicas/fleet.ts";
import { acceptsBuilds } from "../../src/replicas/replica.ts";
import type { Placer } from "../../src/routing/placer.ts";
import { FakeClock } from "./fake-clock.ts";
import { connectTo } from "./raw-http2/raw-client.ts";
import { RawPeer } from "./raw-http2/raw-peer.ts";
import { ScriptedReplica, SWITCH_MARK_BYTES } from "./scripted-replica.ts";
import { watcher } from "./watch.ts";

/** Sockets are read by `data` events only, as in a runtime without the unofficial door. */
const CLOSED_DOOR: OnReadDoor = { adopt: () => undefined, install: () => false };

/** How the gateway may read its clients, for `describe.each`: what a test shows must hold for both. */
export const READING_WAYS: { readonly way: string; readonly parts: GatewayParts }[] = [
  { way: "into reused buffers", parts: {} },
  { way: "by data events", parts: { onReadDoor: CLOSED_DOOR } },
];

/** What a rig may be asked for. */
export interface RigOptions {
  /** How many replicas. Default 1. */
  readonly replicas?: number;
  /** Where the admin port is opened. Default `off`. */
  readonly admin?: string;
  /** Further flags of `serve`. */
  readonly argv?: readonly string[];
  /** The text of a configuration file. */
  readonly file?: string;
  /** Settings by their variable's name without its prefix: `LIMITS_STREAMS`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where its log goes. Default: nowhere. */
  readonly log?: Logger;
  /** Replaces the placement; what it would have been is given to it. */
  readonly wrapPlacer?: (usual: Placer) => Placer;
  readonly parts?: GatewayParts;
  /** Is given each way to stop what was started. Default: the test's end calls them. */
  readonly atEnd?: (stop: () => void | Promise<void>) => void;
}

/**
 * The whole gateway in this process, on a clock that only the test moves, in
 * front of replicas that the test scripts. Everything is stopped when the test
 * is over, unless who starts it sees to that.
 */
export class SwitchRig {
  readonly clock: FakeClock;
  readonly gateway: Gateway;
  readonly fleet: Fleet;
  readonly replicas: readonly ScriptedReplica[];
  readonly #atEnd: (stop: () => void | Promise<void>) => void;
  readonly #watch: (peer: RawPeer) => void;

  private constructor(
    clock: FakeClock,
    gateway: Gateway,
    fleet: Fleet,
    replicas: readonly ScriptedReplica[],
    atEnd: (stop: () => void | Promise<void>) => void,
    watch: (peer: RawPeer) => void,
  ) {
    this.clock = clock;
    this.gateway = gateway;
    this.fleet = fleet;
    this.replicas = replicas;
    this.#atEnd = atEnd;
    this.#watch = watch;
  }

  /** Resolves when every replica is ready. */
  static async start(options: RigOptions = {}): Promise<SwitchRig> {
    const {
      replicas: count = 1,
      admin = "off",
      argv = [],
      file,
      settings = {},
      log = silentLog(),
      wrapPlacer = (usual) => usual,
      parts,
      atEnd = onTestFinished,
    } = options;
    const replicas = await Promise.all(Array.from({ length: count }, (_, i) => ScriptedReplica.start(`r${i + 1}`)));
    atEnd(() => {
      for (const replica of replicas) replica.stop();
    });
    // Outside a test nobody asks in the end, and for long: peers are not to be kept.
    const watch = options.atEnd ? () => {} : watcher();
    for (const replica of replicas) replica.onPeer = watch;
    const flags = [`--admin=${admin}`, ...(file === undefined ? [] : ["--config=rig.yaml"]), ...argv];
    const config = loadRigConfig(replicas, flags, settings, file);
    const clock = new FakeClock();
    let fleet: Fleet | undefined;
    const gateway = await startGateway(config, log, {
      clock,
      wrapPlacer: (usual, made) => {
        fleet = made;
        return wrapPlacer(usual);
      },
      ...parts,
    });
    atEnd(() => gateway.stop());
    const rig = new SwitchRig(clock, gateway, fleet!, replicas, atEnd, watch);
    await rig.allReady();
    return rig;
  }

  /** Resolves when every replica takes builds. */
  async allReady(): Promise<void> {
    while (!this.fleet.replicas().every(acceptsBuilds) || this.fleet.replicas().length < this.replicas.length) {
      await new Promise<void>((resolve) => {
        const cancel = this.fleet.onChange(() => {
          cancel();
          resolve();
        });
      });
    }
  }

  /** The only replica, or the first. */
  get replica(): ScriptedReplica {
    return this.replicas[0]!;
  }

  get address(): Address & { t: "tcp" } {
    return this.gateway.listening[0] as Address & { t: "tcp" };
  }

  /** Running builds that the fleet counts, and connections to replicas that nobody has looked at, for each replica. */
  get leftBehind(): [runningBuilds: number[], connections: number[]] {
    return [
      this.fleet.replicas().map(({ runningBuilds }) => runningBuilds),
      this.replicas.map(({ waiting }) => waiting),
    ];
  }

  /** A TCP connection that says nothing. */
  socket(): Promise<Socket> {
    return connectTo(this.address.port, this.#atEnd);
  }

  /** A client that has sent nothing. */
  async silentClient(): Promise<RawPeer> {
    const client = new RawPeer(await this.socket(), "client");
    this.#watch(client);
    return client;
  }

  /** A client that has exchanged SETTINGS. */
  async client(settings: readonly (readonly [id: number, value: number])[] = []): Promise<RawPeer> {
    const client = await this.silentClient();
    client.begin("client", settings);
    await client.nextOf("SETTINGS");
    return client;
  }
}

function loadRigConfig(
  replicas: readonly ScriptedReplica[],
  argv: readonly string[],
  settings: Readonly<Record<string, string>>,
  file: string | undefined,
) {
  const env: Record<string, string> = {
    BUILDKIT_GATEWAY_LIMITS_REPLICA_HEADER_LIST_BYTES: `${SWITCH_MARK_BYTES}B`,
    // The history of a scripted replica lists no build of the switch's: with a maximum, each would keep the next waiting.
    BUILDKIT_GATEWAY_MAX_BUILDS: "0",
  };
  for (const [name, text] of Object.entries(settings)) env[`BUILDKIT_GATEWAY_${name}`] = text;
  const loaded = loadConfig({
    argv: [
      "--listen=tcp://127.0.0.1:0",
      ...replicas.map(({ name, address }) => `--replica=${name}=${address}`),
      ...argv,
    ],
    env,
    readFile: () => {
      if (file === undefined) throw new Error("this rig reads no file");
      return Buffer.from(file);
    },
  });
  if (loaded.t === "invalid") throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}
