import type { GatewayError } from "../base/errors.ts";
import type { RpcKind } from "./rpc-table.ts";

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
}

/** One client connection. */
export interface RoutedClient {
  /** Whether a call can be sent to the replica right now. */
  isConnected(replicaId: string): boolean;
  /** Reach a replica. Its own SETTINGS have been seen when this is `connected`; nothing of a call has been sent. */
  connect(replicaId: string): Promise<ConnectOutcome>;
}

export type ConnectOutcome = { readonly t: "connected" } | { readonly t: "failed"; readonly reason: string };
