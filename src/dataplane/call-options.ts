import type { Clock } from "../base/clock.ts";
import type { GatewayError } from "../base/errors.ts";
import type { HeaderField } from "../http2/header-field.ts";
import type { Caller } from "../identity/caller.ts";
import type { RoutedClient } from "../routing/routed-call.ts";
import type { RpcKind } from "../routing/rpc-table.ts";
import type { Call } from "./call.ts";
import type { HeldTotals } from "./held-body.ts";
import type { Stream } from "./stream.ts";

/** What a call is made of. */
export interface CallOptions {
  readonly kind: RpcKind;
  readonly path: string;
  readonly arrival: number;
  readonly stream: Stream;
  /** The request's header list. */
  readonly fields: readonly HeaderField[];
  /** What of it is sent on. */
  readonly sentFields: readonly HeaderField[];
  readonly held: HeldTotals;
  readonly owner: CallOwner;
}

/** Who a call belongs to: its client's connection. */
export interface CallOwner extends RoutedClient {
  readonly clock: Clock;
  /** Send the call to a replica, connecting where that is needed. */
  releaseCall(call: Call, replicaId: string): void;
  /** More of a held body has come, or its end. May throw GatewayError, which answers the call. */
  heldDataCame(call: Call): void;
  /** Its replica's connection is gone while the call was open. */
  callLost(call: Call, error: Error): void;
  /** What it asks for cannot be read, or is not to be; nobody else knows of it. */
  callRefused(call: Call, error: GatewayError): void;
  /** It is over. Called once. */
  callClosed(call: Call): void;
  /** Who makes a call with this header list. */
  callerOf(fields: readonly HeaderField[]): Caller;
}
