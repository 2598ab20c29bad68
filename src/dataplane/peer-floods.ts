import type { Clock } from "../base/clock.ts";
import { FloodMeter } from "./flood-meter.ts";
import { ConnectionOverLimit } from "./over-limit.ts";

/** WINDOW_UPDATEs that a peer may answer any DATA frame with, and octets of it for each further one. */
const WINDOW_UPDATES_PER_FRAME = 4;
const BYTES_PER_WINDOW_UPDATE = 1_024;

/** How fast one peer may send what moves nothing. */
export interface FloodLimits {
  readonly controlFramesPerSecond: number;
  readonly resetsPerSecond: number;
}

/** Counts what one peer sends that costs it nothing and us something, and ends its connection when it is too much. */
export class PeerFloods {
  readonly #control: FloodMeter;
  /** Of clients. */
  readonly #resets: FloodMeter | undefined;
  readonly #windowUpdates: FloodMeter | undefined;

  /** Of a replica only control frames are counted: what it resets and how it reads is its clients' doing. */
  constructor(clock: Clock, limits: FloodLimits, isClient: boolean) {
    this.#control = new FloodMeter(clock, limits.controlFramesPerSecond);
    if (!isClient) return;
    this.#resets = new FloodMeter(clock, limits.resetsPerSecond);
    // What it has been sent it may acknowledge whenever it has read it.
    this.#windowUpdates = new FloodMeter(clock, limits.controlFramesPerSecond, Number.POSITIVE_INFINITY);
  }

  /** The peer has sent something of use: one more control frame is in order. */
  usefulFrameCame(): void {
    this.#control.earn();
  }

  /** Payload goes to the peer in one frame: it may measure by it, and will say that it has read it. */
  dataSent(bytes: number): void {
    this.#control.earn();
    this.#windowUpdates?.earn(WINDOW_UPDATES_PER_FRAME + Math.floor(bytes / BYTES_PER_WINDOW_UPDATE));
  }

  /** Count a frame that moves nothing, or one that costs as much as several. Throws ConnectionOverLimit for one too many. */
  countControlFrame(what: string, weight = 1): void {
    if (this.#control.isExceededByOneMore(weight)) {
      throw new ConnectionOverLimit("controlFramesPerSecond", `too many ${what}`);
    }
  }

  /** Count a WINDOW_UPDATE. Throws as {@link countControlFrame}. */
  countWindowUpdate(): void {
    if (this.#windowUpdates?.isExceededByOneMore()) {
      throw new ConnectionOverLimit("controlFramesPerSecond", "too many WINDOW_UPDATE");
    }
  }

  /** Count a stream that a client opened for nothing: that it reset, or made us reset. Throws as {@link countControlFrame}. */
  countReset(): void {
    if (this.#resets?.isExceededByOneMore()) {
      throw new ConnectionOverLimit("resetsPerSecond", "too many streams reset");
    }
  }
}
