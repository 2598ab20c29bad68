import { type EventEmitter, once } from "node:events";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import type { Address } from "../../src/base/address.ts";
import {
  type BuildHistoryEvent,
  bridgeRpcs,
  contentRpcs,
  controlRpcs,
  healthRpcs,
  type ServingStatus,
} from "../../src/buildkit/wire-contracts.ts";

/** How a {@link GrpcReplica} behaves. May be changed while it runs. */
export interface GrpcReplicaBehaviour {
  workerId: string;
  /** What it builds for, its own first. */
  platforms: readonly string[];
  /** `undefined`: it serves no health service, as dockerd does not. */
  health: ServingStatus | undefined;
  /** It takes calls and never answers them. */
  isSilent: boolean;
  /** It refuses those that ask what it is, and how it is, with this. */
  refusal: Error | undefined;
  /** What runs on it (STARTED) and what its history has (COMPLETE). Those that follow it hear of changes by `tell`. */
  history: BuildHistoryEvent[];
  /** How it refuses those that would follow its history. */
  historyFailure: status | undefined;
  /** It does not answer those that ask what runs. */
  isListingSilent: boolean;
  /** Its clock, as it writes it. */
  timestamp: string | undefined;
}

/** What is asked for about builds. */
interface HistoryRequest {
  readonly ActiveOnly: boolean;
  readonly Ref: string;
  readonly EarlyExit: boolean;
  readonly Limit: number;
}

type HistoryCall = ServerWritableStream<HistoryRequest, BuildHistoryEvent>;

const BUILD_ID_HEADER = "buildkit-controlapi-buildid";

type Handler = (call: never, callback: never) => void;

/** Answers a call, or throws what {@link refusal} makes. */
export type UnaryAnswer = (request: Readonly<Record<string, unknown>>) => object;

/** Answers a call by a stream, which it ends. */
export type StreamAnswer = (call: ServerWritableStream<Readonly<Record<string, unknown>>, object>) => void;

/** A status that a replica ends a call with, with details as BuildKit attaches them. */
export function refusal(code: status, details: string, attached?: Buffer): Error {
  const metadata = new Metadata();
  if (attached) metadata.set("grpc-status-details-bin", attached);
  return Object.assign(new Error(details), { code, details, metadata });
}

/**
 * The control side of a BuildKit daemon, on grpc-js: what the gateway asks a
 * replica. It runs no builds; a Solve waits for its frontend's Return, as the
 * daemon's does.
 */
export class GrpcReplica {
  readonly behaviour: GrpcReplicaBehaviour;
  /** Paths of the calls that came, in order, but for those that follow its history. */
  readonly calls: string[] = [];
  /** Paths of those among them that were cancelled, or whose deadline has passed. */
  readonly cancelled: string[] = [];
  /** Requests of those that followed its history, in order. */
  readonly historyRequests: HistoryRequest[] = [];
  /** How often it was asked for what runs. */
  listings = 0;
  /** Solves that have not ended. */
  openSolves = 0;
  /** How it answers disk usage, changes of its history and questions about content, by path. Without one: never. */
  readonly unary = new Map<string, UnaryAnswer>();
  /** As `unary`, for Prune and for content that is listed or read. */
  readonly streams = new Map<string, StreamAnswer>();
  readonly #server = new Server();
  #port = 0;
  readonly #followers = new Set<HistoryCall>();
  /** By build ref. */
  readonly #onReturn = new Map<string, () => void>();

  private constructor(behaviour: Partial<GrpcReplicaBehaviour>) {
    this.behaviour = {
      workerId: "worker-1",
      platforms: ["linux/amd64", "linux/arm/v7"],
      health: "SERVING",
      isSilent: false,
      refusal: undefined,
      history: [],
      historyFailure: undefined,
      isListingSilent: false,
      timestamp: undefined,
      ...behaviour,
    };
    const { Info, ListWorkers, Solve, ListenBuildHistory } = controlRpcs;
    const { Ping, Return } = bridgeRpcs;
    const handlers: Record<string, Handler> = {
      Info: this.#unary(Info.path, () => ({ buildkitVersion: { version: "v0.25.2" } })),
      ListWorkers: this.#unary(ListWorkers.path, ({ filter }: { filter: string[] }) => ({
        record: [
          {
            ID: filter.length > 0 ? `filtered by ${filter.join()}` : this.behaviour.workerId,
            Labels: {
              "org.mobyproject.buildkit.worker.executor": "oci",
              "org.mobyproject.buildkit.worker.hostname": "pod",
            },
            platforms: this.behaviour.platforms.map((name) => {
              const [OS = "", Architecture = "", Variant = ""] = name.split("/");
              return { OS, Architecture, Variant };
            }),
          },
        ],
      })),
      ListenBuildHistory: (call: HistoryCall) => {
        if (!call.request.EarlyExit) this.#follow(call);
        else if (call.request.ActiveOnly) this.#listRunning(call);
        else this.#listAll(call);
      },
      Solve: (call: ServerUnaryCall<{ Ref: string }, object>, callback: sendUnaryData<object>) =>
        this.#solve(call, callback),
      Ping: this.#unary(Ping.path, () => ({ Workers: [{ ID: this.behaviour.workerId }] })),
      Return: this.#unary(Return.path, (_request: object, buildRef) => {
        this.#onReturn.get(buildRef)?.();
        return {};
      }),
      Check: (call: never, callback: sendUnaryData<object>) => {
        const { health } = this.behaviour;
        if (health) this.#unary(healthRpcs.Check.path, () => ({ status: health }))(call, callback as never);
        else callback({ code: status.UNIMPLEMENTED, details: "unknown service grpc.health.v1.Health" });
      },
    };
    const { DiskUsage, Prune, UpdateBuildHistory } = controlRpcs;
    for (const rpc of [DiskUsage, UpdateBuildHistory, contentRpcs.Info]) {
      this.#server.addService({ [rpc.path]: rpc } as never, { [rpc.path]: this.#answeredByTest(rpc.path) } as never);
    }
    for (const rpc of [Prune, contentRpcs.List, contentRpcs.Read]) {
      this.#server.addService({ [rpc.path]: rpc } as never, { [rpc.path]: this.#streamedByTest(rpc.path) } as never);
    }
    this.#server.addService(
      { Info, ListWorkers, Solve, ListenBuildHistory, Ping, Return, Check: healthRpcs.Check } as never,
      handlers as never,
    );
  }

  /** Start one, by default on 127.0.0.1. Whoever starts it kills it. */
  static async start(
    behaviour: Partial<GrpcReplicaBehaviour> = {},
    { host = "127.0.0.1", port = 0, credentials = ServerCredentials.createInsecure() } = {},
  ): Promise<GrpcReplica> {
    const replica = new GrpcReplica(behaviour);
    replica.#port = await new Promise<number>((resolve, reject) => {
      replica.#server.bindAsync(`${host}:${port}`, credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return replica;
  }

  get address(): Address & { t: "tcp" } {
    return { t: "tcp", host: "127.0.0.1", port: this.#port };
  }

  /** Close all connections and refuse new ones, as kill -9 does. */
  kill(): void {
    this.#server.forceShutdown();
  }

  /** Say GOAWAY on every connection and close them when their calls have ended, after `graceMs` at the latest; new ones are accepted. */
  sendGoaway(graceMs = 0): void {
    this.#server.drain(`127.0.0.1:${this.#port}`, graceMs);
  }

  /** Those that follow its history now. */
  get followers(): number {
    return this.#followers.size;
  }

  /** Tell those that follow its history. */
  tell(...events: BuildHistoryEvent[]): void {
    for (const follower of this.#followers) for (const event of events) follower.write(event);
  }

  /** End the streams of those that follow its history, with an error if one is given. */
  endHistory(code?: status): void {
    for (const follower of this.#followers) {
      if (code === undefined) follower.end();
      else follower.emit("error", { code, details: "history is lost" });
    }
    this.#followers.clear();
  }

  #unary<Request>(path: string, respond: (request: Request, buildRef: string) => object): Handler {
    return (call: ServerUnaryCall<Request, object>, callback: sendUnaryData<object>) => {
      this.calls.push(path);
      if (this.behaviour.refusal) callback(this.behaviour.refusal as ServiceError, null);
      else if (!this.behaviour.isSilent)
        callback(null, respond(call.request, String(call.metadata.get(BUILD_ID_HEADER)[0])));
    };
  }

  async #solve(call: ServerUnaryCall<{ Ref: string }, object>, callback: sendUnaryData<object>): Promise<void> {
    this.calls.push(controlRpcs.Solve.path);
    this.openSolves++;
    const returned = new Promise<void>((resolve) => {
      this.#onReturn.set(call.request.Ref, resolve);
    });
    await Promise.race([returned, once(call, "cancelled")]);
    this.#onReturn.delete(call.request.Ref);
    this.openSolves--;
    callback(null, {});
  }

  #answeredByTest(path: string): Handler {
    return (call: ServerUnaryCall<Readonly<Record<string, unknown>>, object>, callback: sendUnaryData<object>) => {
      this.#came(path, call);
      const answer = this.unary.get(path);
      if (!answer || this.behaviour.isSilent) return;
      try {
        callback(null, answer(call.request));
      } catch (error) {
        callback(error as Error);
      }
    };
  }

  #streamedByTest(path: string): Handler {
    return (call: ServerWritableStream<Readonly<Record<string, unknown>>, object>) => {
      this.#came(path, call);
      if (!this.behaviour.isSilent) this.streams.get(path)?.(call);
    };
  }

  #came(path: string, call: EventEmitter): void {
    this.calls.push(path);
    call.on("cancelled", () => this.cancelled.push(path));
  }

  /** As a daemon does: running builds, then completed ones. */
  #listAll(call: HistoryCall): void {
    const { history, historyFailure, isSilent } = this.behaviour;
    this.#came(controlRpcs.ListenBuildHistory.path, call);
    if (isSilent) return;
    if (historyFailure !== undefined) {
      call.emit("error", { code: historyFailure, details: "no history" });
      return;
    }
    // Either may be the end of a real daemon, or of a record that is to be deleted.
    const { Ref, Limit } = call.request;
    if (Ref !== "" || Limit !== 0) throw new Error(`asked for ${Ref} with limit ${Limit}`);
    const completed = history.filter(({ type }) => type === "COMPLETE");
    for (const event of history.filter(({ type }) => type === "STARTED")) call.write(event);
    for (const event of completed) call.write(event);
    call.end();
  }

  #listRunning(call: HistoryCall): void {
    const { history, historyFailure, isSilent, isListingSilent } = this.behaviour;
    this.listings++;
    if (isSilent || isListingSilent) return;
    if (historyFailure !== undefined) {
      call.emit("error", { code: historyFailure, details: "no history" });
      return;
    }
    for (const event of history) if (event.type === "STARTED") call.write(event);
    call.end();
  }

  #follow(call: HistoryCall): void {
    const { history, historyFailure, isSilent, timestamp } = this.behaviour;
    this.historyRequests.push(call.request);
    if (isSilent) return;
    if (historyFailure !== undefined) {
      call.emit("error", { code: historyFailure, details: "no history" });
      return;
    }
    const headers = new Metadata();
    if (timestamp !== undefined) headers.set("buildkit-current-timestamp", timestamp);
    call.sendMetadata(headers);
    const running = history.filter(({ type }) => type === "STARTED");
    const completed = call.request.ActiveOnly ? [] : history.filter(({ type }) => type === "COMPLETE");
    for (const event of [...running, ...completed]) call.write(event);
    this.#followers.add(call);
    call.on("cancelled", () => this.#followers.delete(call));
  }
}
