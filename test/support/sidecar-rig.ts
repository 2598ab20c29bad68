import { once } from "node:events";
import { connect } from "node:net";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { Address } from "../../src/base/address.ts";
import { loadSidecarConfig } from "../../src/config/load.ts";
import { startSidecar } from "../../src/sidecar.ts";
import { FakeClock } from "./fake-clock.ts";
import { RawPeer } from "./raw-http2/raw-peer.ts";
import { ScriptedReplica, SWITCH_MARK_BYTES } from "./scripted-replica.ts";
import { watcher } from "./watch.ts";

/** A sidecar in this process, on a clock that only the test moves, before a gateway that the test scripts. */
export class SidecarRig {
  readonly clock: FakeClock;
  /** What it passes calls on to. */
  readonly upstream: ScriptedReplica;
  /** Messages of its log, from `info` on. */
  readonly messages: readonly string[];
  readonly #address: Address & { t: "tcp" };
  readonly #watch: (peer: RawPeer) => void;

  private constructor(
    clock: FakeClock,
    upstream: ScriptedReplica,
    messages: readonly string[],
    address: Address & { t: "tcp" },
    watch: (peer: RawPeer) => void,
  ) {
    this.clock = clock;
    this.upstream = upstream;
    this.messages = messages;
    this.#address = address;
    this.#watch = watch;
  }

  /** Everything is stopped when the test is over. */
  static async start(argv: readonly string[] = []): Promise<SidecarRig> {
    const upstream = await ScriptedReplica.start("gateway");
    onTestFinished(() => upstream.stop());
    const watch = watcher();
    upstream.onPeer = watch;
    const loaded = loadSidecarConfig({
      argv: ["--listen=tcp://127.0.0.1:0", `--upstream=${upstream.address}`, ...argv],
      env: { BUILDKIT_GATEWAY_LIMITS_REPLICA_HEADER_LIST_BYTES: `${SWITCH_MARK_BYTES}B` },
      readFile: () => {
        throw new Error("a rig reads no file");
      },
    });
    if (loaded.t === "invalid") throw new Error(JSON.stringify(loaded.problems));
    const clock = new FakeClock();
    const messages: string[] = [];
    const log = pino({ base: null }, { write: (line: string) => void messages.push(JSON.parse(line).msg) });
    const sidecar = await startSidecar(loaded.config, log, clock);
    onTestFinished(() => sidecar.stop());
    return new SidecarRig(clock, upstream, messages, sidecar.listening[0] as Address & { t: "tcp" }, watch);
  }

  /** A client that has exchanged SETTINGS. */
  async client(): Promise<RawPeer> {
    const socket = connect({ port: this.#address.port, host: "127.0.0.1", noDelay: true });
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    const client = new RawPeer(socket, "client");
    this.#watch(client);
    client.begin("client");
    await client.nextOf("SETTINGS");
    return client;
  }
}
