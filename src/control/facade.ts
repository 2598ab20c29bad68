import type { Duplex } from "node:stream";
import { type ConnectionInjector, Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "../base/log.ts";
import { contentRpcs, controlRpcs, healthRpcs } from "../buildkit/wire-contracts.ts";
import type { Fleet } from "../replicas/fleet.ts";
import { listenBuildHistory } from "./build-history.ts";
import { type ByteRpc, streamOf, unaryOf } from "./byte-handlers.ts";
import { listContent } from "./content-list.ts";
import type { ControlOptions } from "./control-options.ts";
import { diskUsage } from "./disk-usage.ts";
import { type Acceptance, HealthService } from "./health-service.ts";
import { prune } from "./prune.ts";
import { updateBuildHistory } from "./update-history.ts";
import { fleetInfo, fleetWorkers, type WorkersFleet } from "./workers.ts";

/** What the façade answers from. */
export interface FacadeOptions extends Omit<ControlOptions, "fleet"> {
  readonly fleet: ControlOptions["fleet"] & WorkersFleet & Pick<Fleet, "describe">;
  /** What health checks are told. */
  readonly acceptance: Acceptance;
  readonly log: Logger;
  /** The gateway's, which workers are labelled with. */
  readonly version: string;
  /** Names the fleet: the ids of its workers are made from it. */
  readonly poolName: string;
  /** Largest request. Those served here are small. Default 64 KiB. */
  readonly maxRequestBytes?: number;
}

const DEFAULT_MAX_REQUEST_BYTES = 64 * 1024;

/** Methods whose messages pass in bytes. */
const BYTE_RPCS: readonly ByteRpc[] = [
  { rpc: controlRpcs.Info, answer: unaryOf(fleetInfo) },
  { rpc: controlRpcs.ListWorkers, answer: unaryOf(fleetWorkers) },
  { rpc: controlRpcs.DiskUsage, answer: unaryOf(diskUsage) },
  { rpc: controlRpcs.UpdateBuildHistory, answer: unaryOf(updateBuildHistory) },
  { rpc: controlRpcs.Prune, answer: streamOf(prune) },
  { rpc: controlRpcs.ListenBuildHistory, answer: streamOf(listenBuildHistory) },
  { rpc: contentRpcs.List, answer: streamOf(listContent) },
];

/** Full paths of the methods that the façade serves. */
export const FACADE_PATHS: ReadonlySet<string> = new Set(
  [...BYTE_RPCS.map(({ rpc }) => rpc), healthRpcs.Check, healthRpcs.Watch].map(({ path }) => path),
);

/**
 * One daemon's answers from many: a gRPC server in this process that speaks for
 * the whole fleet. It has no port; the data plane joins connections to it.
 */
export class Facade {
  readonly #options: FacadeOptions;
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #connections = new Set<Duplex>();

  constructor(options: FacadeOptions) {
    this.#options = options;
    this.#server = new Server({
      "grpc.max_receive_message_length": options.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
      "grpc.enable_channelz": 0,
    });
    for (const { rpc, answer } of BYTE_RPCS) {
      const { definition, handler } = answer(rpc.path, options);
      this.#server.addService({ [rpc.path]: definition }, { [rpc.path]: handler });
    }
    const health = new HealthService(options.acceptance);
    this.#server.addService(
      { Check: healthRpcs.Check, Watch: healthRpcs.Watch },
      { Check: health.check.bind(health), Watch: health.watch.bind(health) },
    );
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Serve an in-process connection until it is destroyed, by either side. */
  inject(connection: Duplex): void {
    this.#connections.add(connection);
    connection.on("error", (error) => this.#options.log.debug({ reason: error.message }, "facade connection failed"));
    connection.once("close", () => this.#connections.delete(connection));
    this.#injector.injectConnection(connection);
  }

  /** Close all connections, now. */
  async stop(): Promise<void> {
    this.#injector.destroy();
    this.#server.forceShutdown();
    const closed = [...this.#connections].map(
      (connection) => new Promise<void>((resolve) => connection.once("close", () => resolve())),
    );
    for (const connection of this.#connections) connection.destroy();
    await Promise.all(closed);
  }
}
