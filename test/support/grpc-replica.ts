import { once } from "node:events";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import type { Address } from "../../src/base/address.ts";
import {
  type BuildHistoryEvent,
  bridgeRpcs,
  controlRpcs,
  healthRpcs,
  type ServingStatus,
} from "../../src/buildkit/wire-contracts.ts";

/** How a {@link GrpcReplica} behaves. May be changed while it runs. */
export interface GrpcReplicaBehaviour {
  workerId: string;
  /** `undefined`: it serves no health service, as dockerd does not. */
  health: ServingStatus | undefined;
  /** It takes calls and never answers them. */
  isSilent: boolean;
  /** Builds in its history. */
  history: BuildHistoryEvent[];
}

const BUILD_ID_HEADER = "buildkit-controlapi-buildid";

type Handler = (call: never, callback: never) => void;

/**
 * The control side of a BuildKit daemon, on grpc-js: what the gateway asks a
 * replica. It runs no builds; a Solve waits for its frontend's Return, as the
 * daemon's does.
 */
export class GrpcReplica {
  readonly behaviour: GrpcReplicaBehaviour;
  /** Paths of the calls that came, in order. */
  readonly calls: string[] = [];
  /** Solves that have not ended. */
  openSolves = 0;
  readonly #server = new Server();
  #port = 0;
  /** By build ref. */
  readonly #onReturn = new Map<string, () => void>();

  private constructor(behaviour: Partial<GrpcReplicaBehaviour>) {
    this.behaviour = { workerId: "worker-1", health: "SERVING", isSilent: false, history: [], ...behaviour };
    const { Info, ListWorkers, Solve, ListenBuildHistory } = controlRpcs;
    const { Ping, Return } = bridgeRpcs;
    const handlers: Record<string, Handler> = {
      Info: this.#unary(Info.path, () => ({ buildkitVersion: { version: "v0.25.2" } })),
      ListWorkers: this.#unary(ListWorkers.path, ({ filter }: { filter: string[] }) => ({
        record: [
          {
            ID: filter.length > 0 ? `filtered by ${filter.join()}` : this.behaviour.workerId,
            platforms: [
              { OS: "linux", Architecture: "amd64" },
              { OS: "linux", Architecture: "arm", Variant: "v7" },
            ],
          },
        ],
      })),
      ListenBuildHistory: (call: ServerWritableStream<{ Ref: string }, BuildHistoryEvent>) => this.#listHistory(call),
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
    this.#server.addService(
      { Info, ListWorkers, Solve, ListenBuildHistory, Ping, Return, Check: healthRpcs.Check } as never,
      handlers as never,
    );
  }

  /** Start one on 127.0.0.1. Whoever starts it kills it. */
  static async start(
    behaviour: Partial<GrpcReplicaBehaviour> = {},
    { port = 0, credentials = ServerCredentials.createInsecure() } = {},
  ): Promise<GrpcReplica> {
    const replica = new GrpcReplica(behaviour);
    replica.#port = await new Promise<number>((resolve, reject) => {
      replica.#server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) =>
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

  /** Say GOAWAY on every connection and close them; new ones are accepted. */
  sendGoaway(): void {
    this.#server.drain(`127.0.0.1:${this.#port}`, 0);
  }

  #unary<Request>(path: string, respond: (request: Request, buildRef: string) => object): Handler {
    return (call: ServerUnaryCall<Request, object>, callback: sendUnaryData<object>) => {
      this.calls.push(path);
      if (!this.behaviour.isSilent)
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

  #listHistory(call: ServerWritableStream<{ Ref: string }, BuildHistoryEvent>): void {
    this.calls.push(controlRpcs.ListenBuildHistory.path);
    if (this.behaviour.isSilent) return;
    for (const event of this.behaviour.history) if (event.record?.Ref === call.request.Ref) call.write(event);
    call.end();
  }
}
