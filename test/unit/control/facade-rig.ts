import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import type { MethodDefinition } from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { Facade, type FacadeOptions } from "../../../src/control/facade.ts";
import { ContentOwners } from "../../../src/replicas/content-owners.ts";
import { ReplicaSearch } from "../../../src/replicas/replica-search.ts";
import { connectionPair } from "../../support/duplex-pair.ts";
import { endpoint, FleetUnderTest } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";

/** A method, and how its messages are written. */
export type Rpc<Request, Response = unknown> = Pick<
  MethodDefinition<Request, Response>,
  "path" | "requestSerialize" | "responseDeserialize"
>;

/** How a call has ended, and what came before. */
export interface CallResult {
  readonly messages: readonly Buffer[];
  readonly headers: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly message: string;
}

/** A façade that speaks for real gRPC servers, on a clock that only the test moves. Everything is stopped when the test is over. */
export class FacadeRig {
  readonly lab: FleetUnderTest;
  readonly facade: Facade;
  readonly owners = new ContentOwners();
  /** Replicas whose caches have been thrown away. */
  readonly pruned: string[] = [];
  /** Those who want to hear when the gateway takes builds or does not. */
  readonly listeners = new Set<() => void>();
  #isAccepting = true;

  constructor(replicas: Readonly<Record<string, GrpcReplica>>, options: Partial<FacadeOptions> = {}) {
    this.lab = new FleetUnderTest(Object.entries(replicas).map(([id, replica]) => endpoint(id, replica)));
    onTestFinished(() => this.lab.fleet.stop());
    const { fleet, clock } = this.lab;
    this.facade = new Facade({
      fleet,
      clock,
      log: silentLog(),
      owners: this.owners,
      search: new ReplicaSearch({ fleet, clock, owners: this.owners, timeoutMs: 30_000 }),
      timeoutMs: 5_000,
      slowTimeoutMs: 60_000,
      incomplete: { diskUsage: "error", prune: "error", history: "error" },
      onPruned: (replicaId) => this.pruned.push(replicaId),
      version: "1.2.3",
      poolName: "default",
      acceptance: {
        acceptsBuilds: () => this.#isAccepting,
        onChange: (listener) => {
          this.listeners.add(listener);
          return () => this.listeners.delete(listener);
        },
      },
      maxRequestBytes: 1_024,
      ...options,
    });
    onTestFinished(() => this.facade.stop());
  }

  setAccepting(isAccepting: boolean): void {
    this.#isAccepting = isAccepting;
    for (const listener of this.listeners) listener();
  }

  /** Resolves once all these replicas take builds. */
  async ready(...ids: string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.lab.reaches(id, "ready")));
  }

  /** An in-process connection to the façade, as the data plane makes it. */
  join(): { client: ClientHttp2Session; ours: Duplex; theirs: Duplex } {
    const [ours, theirs] = connectionPair();
    this.facade.inject(theirs);
    const client = connect("http://facade", { createConnection: () => ours });
    client.on("error", () => {});
    onTestFinished(() => client.destroy());
    return { client, ours, theirs };
  }

  /** Make one call on a connection of its own, to its end. */
  async call<Request>(rpc: Rpc<Request>, request: Request): Promise<CallResult> {
    return await resultOf(openCall(this.join().client, rpc, request));
  }

  /** As {@link call}; the messages are decoded. */
  async ask<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
  ): Promise<{ values: Response[]; status: number; message: string }> {
    const { messages, status, message } = await this.call(rpc, request);
    return { values: messages.map((bytes) => rpc.responseDeserialize(bytes)), status, message };
  }
}

/** Begin a call whose request is complete. */
export function openCall<Request>(client: ClientHttp2Session, rpc: Rpc<Request>, request: Request): ClientHttp2Stream {
  const stream = client.request({
    ":method": "POST",
    [constants.HTTP2_HEADER_PATH]: rpc.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(grpcMessage(rpc.requestSerialize(request)));
  return stream;
}

/** Reads the messages of a stream as they come. */
export class Messages {
  readonly all: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  constructor(stream: ClientHttp2Stream) {
    stream.on("data", (chunk: Buffer) => this.#came(chunk));
  }

  /** Resolves once so many have come. */
  async count(wanted: number): Promise<readonly Buffer[]> {
    while (this.all.length < wanted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.all;
  }

  #came(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32BE(1)) {
      const end = 5 + this.#rest.readUInt32BE(1);
      this.all.push(this.#rest.subarray(5, end));
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }
}

/** How a call ends, and what comes before. */
export async function resultOf(stream: ClientHttp2Stream): Promise<CallResult> {
  const messages = new Messages(stream);
  let headers: Record<string, unknown> = {};
  let end: Record<string, unknown> = {};
  stream.on("response", (fields) => {
    headers = { ...fields };
  });
  stream.on("trailers", (trailers) => {
    end = { ...trailers };
  });
  await once(stream, "close");
  const fields = { ...headers, ...end };
  return {
    messages: messages.all,
    headers: fields,
    status: Number(fields["grpc-status"]),
    message: decodeURIComponent(String(fields["grpc-message"] ?? "")),
  };
}
