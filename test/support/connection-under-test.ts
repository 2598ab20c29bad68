import { onTestFinished } from "vitest";
import type { ConnectionLimits, RequestHandler } from "../../src/dataplane/connection-options.ts";
import { FrameConnection } from "../../src/dataplane/frame-connection.ts";
import { Transport } from "../../src/dataplane/transport.ts";
import { TurnFlusher } from "../../src/dataplane/turn-flusher.ts";
import { connectionPair } from "./duplex-pair.ts";
import { FakeClock } from "./fake-clock.ts";
import { RawPeer } from "./raw-http2/raw-peer.ts";
import { watcher } from "./watch.ts";

const LIMITS: ConnectionLimits = {
  headerListBytes: 65_536,
  controlFramesPerSecond: 1_000,
  resetsPerSecond: 1_000,
  streams: 1_000,
  backlogBytes: 65_536,
  headersTimeoutMs: 10_000,
};

/** One of the switch's connections by itself, with a frame-level peer at its other end. */
export class ConnectionUnderTest {
  readonly clock = new FakeClock();
  readonly connection: FrameConnection;
  readonly peer: RawPeer;
  /** What the connection's owner was told. */
  readonly told: string[] = [];
  /** The end of the pair that the connection has. */
  readonly stream;

  /** With `requests` it is the server's side of a connection, else a client's. */
  constructor(options: { readonly requests?: RequestHandler; readonly limits?: Partial<ConnectionLimits> } = {}) {
    const { requests, limits } = options;
    const [ours, theirs] = connectionPair();
    this.stream = ours;
    this.connection = new FrameConnection({
      transport: new Transport(ours, new TurnFlusher()),
      clock: this.clock,
      limits: { ...LIMITS, ...limits },
      handler: {
        ready: () => this.told.push("ready"),
        goingAway: (_last, code) => this.told.push(`going away ${code}`),
        overLimit: (limit) => this.told.push(`over limit ${limit}`),
        readingFailed: (error) => this.told.push(`failed: ${(error as Error).message}`),
        streamClosed: () => this.told.push("stream closed"),
        ended: (cause) => this.told.push(`ended: ${cause.message}`),
      },
      requests,
    });
    this.peer = new RawPeer(theirs, requests ? "client" : "server");
    watcher()(this.peer);
    this.connection.start();
    onTestFinished(() => {
      ours.destroy();
    });
  }
}
