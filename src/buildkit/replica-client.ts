import { type Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Cancel } from "../base/clock.ts";
import { probeCapabilities } from "./capability-probe.ts";
import { readDaemonTimeMs } from "./daemon-time.ts";
import { type HistoryEvent, readHistoryEvent } from "./history-event.ts";
import {
  type CallOptions,
  type MessageStream,
  ReplicaChannel,
  type ReplicaChannelOptions,
  type Rpc,
  type StreamOptions,
} from "./replica-channel.ts";
import {
  type BuildkitVersion,
  controlRpcs,
  healthRpcs,
  type ServingStatus,
  type WorkerRecord,
} from "./wire-contracts.ts";

/** An answer in bytes, to be handed on, and what of it we read. */
export interface Answer<T> {
  readonly bytes: Buffer;
  readonly value: T;
}

/** A build that a daemon runs. */
export type RunningBuild = Pick<HistoryEvent, "buildRef" | "createdAtMs">;

/** Running builds that are listed at most. */
const MAX_RUNNING = 10_000;

/** Who follows a history. */
export interface HistoryListener {
  /** The daemon has taken the call: what runs there is told next. Its clock in ms since the epoch, where it tells. */
  onOpen(daemonTimeMs: number | undefined): void;
  /** `message` is the event as it came. */
  onEvent(event: HistoryEvent, message: Buffer): void;
  /** It is over, with grpc-js's ServiceError where it failed. Not after it was cancelled. */
  onEnd(error: ServiceError | undefined): void;
}

/**
 * The gateway's own calls to one replica. Every call that returns a promise has a
 * deadline and rejects with grpc-js's ServiceError; whoever made the client closes it.
 */
export class ReplicaClient {
  readonly #channel: ReplicaChannel;

  /** Throws what node:tls throws on certificates that it cannot read. */
  constructor(options: ReplicaChannelOptions) {
    this.#channel = new ReplicaChannel(options);
  }

  /** What the daemon says it is; `undefined` where it names no version. */
  async info(timeoutMs: number): Promise<Answer<BuildkitVersion | undefined>> {
    const { Info } = controlRpcs;
    const bytes = await this.#channel.call(Info, Info.requestSerialize({}), { timeoutMs });
    return { bytes, value: Info.responseDeserialize(bytes).buildkitVersion ?? undefined };
  }

  /** The daemon's workers. Slow at times: the daemon tries its emulators again (moby/buildkit worker/runc). */
  async listWorkers(timeoutMs: number): Promise<Answer<readonly WorkerRecord[]>> {
    const { ListWorkers } = controlRpcs;
    const bytes = await this.#channel.call(ListWorkers, ListWorkers.requestSerialize({}), { timeoutMs });
    return { bytes, value: ListWorkers.responseDeserialize(bytes).record };
  }

  /** Make a call whose messages are bytes, to be handed on. Absent `timeoutMs`: it may take for ever. */
  call(rpc: Rpc, request: Buffer, options: StreamOptions): Promise<Buffer> {
    return this.#channel.call(rpc, request, options);
  }

  /** As {@link call}, answered by a stream. Cancel it when no more is wanted. */
  stream(rpc: Rpc, request: Buffer, options: StreamOptions): MessageStream {
    return this.#channel.stream(rpc, request, options);
  }

  /** What `grpc.health.v1` says; `undefined` where the daemon does not serve it, as dockerd does not. */
  async health(timeoutMs: number): Promise<ServingStatus | undefined> {
    const { Check } = healthRpcs;
    try {
      const bytes = await this.#channel.call(Check, Check.requestSerialize({}), { timeoutMs });
      return Check.responseDeserialize(bytes).status;
    } catch (error) {
      if ((error as ServiceError).code === status.UNIMPLEMENTED) return undefined;
      throw error;
    }
  }

  /**
   * Whether the daemon runs this build or has it in its history. It is not asked
   * for by its ref: a daemon would only mark as deleted, from then on, what
   * is to be deleted (moby/buildkit solver/llbsolver/history, Listen and delete).
   */
  knowsBuild(buildRef: string, options: CallOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const { ListenBuildHistory } = controlRpcs;
      const request = ListenBuildHistory.requestSerialize({ EarlyExit: true });
      const events = this.#channel.stream(ListenBuildHistory, request, options);
      events.on("data", (message: Buffer) => {
        const event = readHistoryEvent(message);
        if (event?.t === "deleted" || event?.buildRef !== buildRef) return;
        resolve(true);
        events.cancel();
      });
      events.on("error", reject);
      events.on("end", () => resolve(false));
    });
  }

  /**
   * Every build that the daemon runs now. Daemons before 0.13 list none. Rejects
   * with an Error where there are more than 10,000.
   */
  listRunning(options: CallOptions): Promise<RunningBuild[]> {
    return new Promise((resolve, reject) => {
      const { ListenBuildHistory } = controlRpcs;
      const request = ListenBuildHistory.requestSerialize({ ActiveOnly: true, EarlyExit: true });
      const events = this.#channel.stream(ListenBuildHistory, request, options);
      const running: RunningBuild[] = [];
      events.on("data", (message: Buffer) => {
        const event = readHistoryEvent(message);
        if (event?.t !== "started") return;
        running.push({ buildRef: event.buildRef, createdAtMs: event.createdAtMs });
        if (running.length <= MAX_RUNNING) return;
        reject(new Error(`more than ${MAX_RUNNING} builds`));
        events.cancel();
      });
      events.on("error", reject);
      events.on("end", () => resolve(running));
    });
  }

  /**
   * Hear of every build that the daemon runs, until cancelled or the listener's
   * `onEnd`; unless `activeOnly`, first of those that it has in its history, too.
   * No limit is asked for: a daemon that has marked a record as deleted may crash
   * when it sorts its list (until moby/buildkit#6614). It keeps 50 by default.
   */
  followHistory(activeOnly: boolean, listener: HistoryListener): Cancel {
    const { ListenBuildHistory } = controlRpcs;
    const request = ListenBuildHistory.requestSerialize({ ActiveOnly: activeOnly });
    const events = this.#channel.stream(ListenBuildHistory, request, {});
    let isOver = false;
    const end = (error?: ServiceError) => {
      if (isOver) return;
      isOver = true;
      listener.onEnd(error);
    };
    events.on("metadata", (headers: Metadata) => !isOver && listener.onOpen(readDaemonTimeMs(headers)));
    events.on("data", (message: Buffer) => {
      const event = isOver ? undefined : readHistoryEvent(message);
      if (event) listener.onEvent(event, message);
    });
    events.on("error", end);
    events.on("end", () => end());
    return () => {
      isOver = true;
      events.cancel();
    };
  }

  /** The daemon's answer to a frontend's Ping (`PongResponse`). Leaves nothing behind on it. */
  pong(timeoutMs: number): Promise<Buffer> {
    return probeCapabilities(this.#channel, timeoutMs);
  }

  /** End all calls and close the connection, now. */
  close(): void {
    this.#channel.close();
  }
}
