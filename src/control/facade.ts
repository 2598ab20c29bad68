import type { Duplex } from "node:stream";
import {
  type ConnectionInjector,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { GatewayError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { controlRpcs, healthRpcs } from "../buildkit/wire-contracts.ts";
import type { Fleet } from "../replicas/fleet.ts";
import { type Acceptance, HealthService } from "./health-service.ts";

/** What the façade answers from. */
export interface FacadeOptions {
  readonly fleet: Pick<Fleet, "representative" | "firstContact" | "forwardListWorkers">;
  /** What health checks are told. */
  readonly acceptance: Acceptance;
  readonly log: Logger;
  /** Largest request. Those served here are small. Default 64 KiB. */
  readonly maxRequestBytes?: number;
  /** Time that a replica has for a call that is passed on. Default 10,000. */
  readonly forwardTimeoutMs?: number;
}

const DEFAULT_MAX_REQUEST_BYTES = 64 * 1024;
const DEFAULT_FORWARD_TIMEOUT_MS = 10_000;

/** Full paths of the methods that the façade serves. */
export const FACADE_PATHS: ReadonlySet<string> = new Set(
  [controlRpcs.Info, controlRpcs.ListWorkers, healthRpcs.Check, healthRpcs.Watch].map(({ path }) => path),
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
    const health = new HealthService(options.acceptance);
    this.#server.addService(
      { Info: inBytes(controlRpcs.Info), ListWorkers: inBytes(controlRpcs.ListWorkers) },
      {
        Info: (_call: unknown, callback: sendUnaryData<Buffer>) => answer(callback, this.#info()),
        ListWorkers: ({ request }: { request: Buffer }, callback: sendUnaryData<Buffer>) =>
          answer(callback, this.#listWorkers(request)),
      },
    );
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

  async #info(): Promise<Buffer> {
    const { fleet } = this.#options;
    await fleet.firstContact();
    return fleet.representative().infoBytes;
  }

  /** Filters are the daemon's own language (containerd's): a replica reads them. */
  async #listWorkers(request: Buffer): Promise<Buffer> {
    const { fleet, forwardTimeoutMs = DEFAULT_FORWARD_TIMEOUT_MS } = this.#options;
    await fleet.firstContact();
    if (request.length === 0) return fleet.representative().workersBytes;
    return await fleet.forwardListWorkers(request, forwardTimeoutMs);
  }
}

/** The method with its messages left in bytes, so that no field is lost on the way through. */
function inBytes(rpc: Pick<MethodDefinition<never, never>, "path">): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer) => bytes;
  return {
    path: rpc.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

async function answer(callback: sendUnaryData<Buffer>, response: Promise<Buffer>): Promise<void> {
  try {
    callback(null, await response);
  } catch (error) {
    callback(toStatus(error as Error));
  }
}

/** A replica's own status as it came, ours from its table. */
function toStatus(error: Error): Partial<ServiceError> {
  if (error instanceof GatewayError) return { code: error.status, details: error.message };
  const { code, details, metadata } = error as ServiceError;
  if (code !== undefined) return { code, details, metadata };
  return { code: status.INTERNAL, details: error.message };
}
