import type { GatewayError } from "../base/errors.ts";
import type { HeaderField } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { RpcKind } from "./rpc-table.ts";

/**
 * How a call has ended: as its replica said (`succeeded`: status 0), because its
 * client left it, because its replica was lost, or as the gateway said.
 */
export type CallOutcome = "succeeded" | "failed" | "cancelled" | "lost" | "refused";

/** Payload that has passed, in octets. */
export interface MovedBytes {
  /** From the client. */
  readonly receivedBytes: number;
  /** From the replica, to the client. */
  readonly sentBytes: number;
}

/** What was said at a call's end. */
export interface CallEnding {
  /** Of gRPC; -1 where what was said is none. */
  readonly status: number;
  /** Who had the last word. A replica's words may hold what a build ran. */
  readonly saidBy: "client" | "gateway" | "replica";
  /** For people; empty: nothing. */
  readonly message: string;
}

/** One call of a client's, as the router sees it. The data plane moves its bytes. */
export interface RoutedCall {
  readonly kind: RpcKind;
  readonly client: RoutedClient;
  /** Grows with each call that arrives at the gateway: the order in which held calls are released. */
  readonly arrival: number;
  /** Send it to a replica; the data plane connects where it has to, and fails the call where it cannot. */
  release(replicaId: string): void;
  /**
   * Answer it because its build failed, in the form its kind asks for. `isAlone`:
   * no Solve of its build carries the error, so the call does so itself.
   */
  fail(error: GatewayError, isAlone: boolean): void;
  /** Show the client of a held Status a StatusResponse of the gateway's. Does nothing once the call is not held. */
  show(statusResponse: Uint8Array): void;
  /** The client has yet to take some of what it was shown. */
  readonly isBehind: boolean;
  /** Answer a held unary call with a message of the gateway's own, and status 0. */
  answer(message: Uint8Array): void;
  /** End a held call with status 0. */
  finish(): void;
  /** Full path of its method. */
  readonly path: string;
  /** The replica that it was sent to; empty before. */
  readonly replicaId: string;
  /** `undefined` while it is open. */
  readonly outcome: CallOutcome | undefined;
  /** What was said at its end. `undefined` while it is open. */
  readonly ending: CallEnding | undefined;
  /** What has passed in it so far. */
  readonly moved: MovedBytes;
  /** When its headers came, by the gateway's clock. */
  readonly openedMs: number;
  /** The header list that came. */
  readonly fields: readonly HeaderField[];
  /** The header list that its replica gets: may be replaced until the call is released. */
  sentFields: readonly HeaderField[];
  /** Who makes it. The same at each look. */
  readonly caller: Caller;
}

/** One client connection. */
export interface RoutedClient {
  /** The client's address without its port: builds without a key take turns by it. */
  readonly host: string;
  /** Whether a call can be sent to the replica right now. */
  isConnected(replicaId: string): boolean;
  /** Reach a replica. Its own SETTINGS have been seen when this is `connected`; nothing of a call has been sent. */
  connect(replicaId: string): Promise<ConnectOutcome>;
}

export type ConnectOutcome = { readonly t: "connected" } | { readonly t: "failed"; readonly reason: string };
