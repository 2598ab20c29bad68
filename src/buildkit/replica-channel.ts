import { isIP } from "node:net";
import {
  Client,
  type ClientReadableStream,
  connectivityState,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { type Address, hostPort } from "../base/address.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { TrackedCredentials } from "./tracked-credentials.ts";

/** Largest message that BuildKit's own clients and daemons take (moby/buildkit defaults.DefaultMaxRecvMsgSize). */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20;

/** How to reach one replica. */
export interface ReplicaChannelOptions {
  readonly address: Address;
  /** Absent: cleartext. */
  readonly tls?: TlsMaterial;
  /** Called when the connection is lost or takes no more calls (GOAWAY). Not after `close`. */
  readonly onConnectionLost?: () => void;
}

/** Bounds of one call. */
export interface CallOptions {
  readonly timeoutMs: number;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Ends the call when it fires. */
  readonly signal?: AbortSignal;
}

/** Bounds of a call that may go on for long. */
export interface StreamOptions extends Omit<CallOptions, "timeoutMs"> {
  /** Absent: it may go on for ever. */
  readonly timeoutMs?: number;
}

/** A method, by its full path. */
export type Rpc = Pick<MethodDefinition<never, unknown>, "path">;

/** The messages of a stream, in bytes. */
export type MessageStream = ClientReadableStream<Buffer>;

const asIs = (message: Buffer): Buffer => message;

/**
 * A gRPC channel of our own to one replica: one connection, made at the first
 * call and shared with no client. Messages go in and out as bytes, so that an
 * answer can be handed on without losing fields unknown to us.
 */
export class ReplicaChannel {
  readonly #credentials: TrackedCredentials;
  readonly #client: Client;
  readonly #open = new Set<{ cancel(): void }>();

  /** Throws what node:tls throws on certificates that it cannot read. */
  constructor({ address, tls, onConnectionLost }: ReplicaChannelOptions) {
    this.#credentials = new TrackedCredentials({
      ...(tls && { tls }),
      host: address.t === "tcp" ? address.host : "localhost",
    });
    this.#client = new Client(channelTarget(address), this.#credentials, {
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      // A pool shared between channels would hand a new channel the old one's connection and backoff.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_channelz": 0,
      "grpc.enable_retries": 0,
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.primary_user_agent": "buildkit-gateway",
    });
    if (onConnectionLost) this.#watch(onConnectionLost);
  }

  /** Make a unary call with a message in bytes. Rejects with grpc-js's ServiceError. */
  call(rpc: Rpc, request: Buffer, options: StreamOptions): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        rpc.path,
        asIs,
        asIs,
        request,
        callMetadata(options),
        callDeadline(options),
        (error: ServiceError | null, response?: Buffer) => {
          finished();
          if (error) reject(error);
          else resolve(response!);
        },
      );
      const finished = this.#remember(call, options.signal);
    });
  }

  /** Make a call that is answered by a stream. Cancel it when no more is wanted. */
  stream(rpc: Rpc, request: Buffer, options: StreamOptions): MessageStream {
    const call = this.#client.makeServerStreamRequest(
      rpc.path,
      asIs,
      asIs,
      request,
      callMetadata(options),
      callDeadline(options),
    );
    const finished = this.#remember(call, options.signal);
    call.once("status", finished);
    return call;
  }

  /** End all calls and close the connection, now. */
  close(): void {
    for (const call of this.#open) call.cancel();
    this.#client.close();
    this.#credentials.destroySockets();
  }

  /**
   * Hear when the channel leaves READY. After a GOAWAY the connection stays
   * open as long as a call does, and a daemon that ends waits for that.
   */
  #watch(onConnectionLost: () => void): void {
    const channel = this.#client.getChannel();
    const was = channel.getConnectivityState(false);
    if (was === connectivityState.SHUTDOWN) return;
    channel.watchConnectivityState(was, Number.POSITIVE_INFINITY, () => {
      const isShutDown = channel.getConnectivityState(false) === connectivityState.SHUTDOWN;
      if (was === connectivityState.READY && !isShutDown) onConnectionLost();
      this.#watch(onConnectionLost);
    });
  }

  #remember(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
    const cancel = () => call.cancel();
    this.#open.add(call);
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) cancel();
    return () => {
      this.#open.delete(call);
      signal?.removeEventListener("abort", cancel);
    };
  }
}

function callMetadata({ metadata = {} }: StreamOptions): Metadata {
  const result = new Metadata();
  for (const [name, value] of Object.entries(metadata)) result.set(name, value);
  return result;
}

function callDeadline({ timeoutMs }: StreamOptions): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

/** The address as grpc-js writes it (grpc/grpc doc/naming.md). */
function channelTarget(address: Address): string {
  if (address.t === "unix") return `unix://${address.path}`;
  const scheme = { 0: "dns", 4: "ipv4", 6: "ipv6" }[isIP(address.host)];
  return `${scheme}:${hostPort(address.host, address.port)}`;
}
