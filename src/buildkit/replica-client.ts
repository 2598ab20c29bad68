import { type ServiceError, status } from "@grpc/grpc-js";
import { probeCapabilities } from "./capability-probe.ts";
import { type CallOptions, ReplicaChannel, type ReplicaChannelOptions } from "./replica-channel.ts";
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

/**
 * The gateway's own calls to one replica. Every call has a deadline and rejects
 * with grpc-js's ServiceError; whoever made the client closes it.
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
    const bytes = await this.forwardListWorkers(controlRpcs.ListWorkers.requestSerialize({}), timeoutMs);
    return { bytes, value: controlRpcs.ListWorkers.responseDeserialize(bytes).record };
  }

  /** Pass a `ListWorkersRequest` on, filters and all, and return the answer as it came. */
  forwardListWorkers(request: Buffer, timeoutMs: number): Promise<Buffer> {
    return this.#channel.call(controlRpcs.ListWorkers, request, { timeoutMs });
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

  /** Whether the daemon runs this build or has it in its history. */
  knowsBuild(buildRef: string, options: CallOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const events = this.#channel.stream(controlRpcs.ListenBuildHistory, { Ref: buildRef, EarlyExit: true }, options);
      events.on("data", ({ type, record }) => {
        if (type === "DELETED" || record?.Ref !== buildRef) return;
        resolve(true);
        events.cancel();
      });
      events.on("error", reject);
      events.on("end", () => resolve(false));
    });
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
