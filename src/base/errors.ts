/**
 * What the gateway itself can refuse or lose, and the gRPC status each becomes.
 *
 * What a replica says is passed on byte for byte and never appears here.
 */

/** gRPC status codes that the gateway originates (grpc/grpc doc/statuscodes.md). */
export const GrpcStatus = {
  OK: 0,
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcStatusCode = (typeof GrpcStatus)[keyof typeof GrpcStatus];

/** Every kind of error the gateway originates, with the status a client sees. The only such table. */
export const ERROR_STATUS = {
  /** The client sent something that cannot be read as what its path says. */
  invalid_request: GrpcStatus.INVALID_ARGUMENT,
  /** The client has not said who it is in the way that `tls` asks for. */
  unauthenticated: GrpcStatus.UNAUTHENTICATED,
  /** A policy rule does not let the caller do this; the message names the rule. */
  not_allowed: GrpcStatus.PERMISSION_DENIED,
  /** The client cancelled the build that the call belongs to. */
  cancelled: GrpcStatus.CANCELLED,
  /** A configured bound was reached; the message names the number and the setting. */
  limit_exceeded: GrpcStatus.RESOURCE_EXHAUSTED,
  /** As many builds wait as may; the message names the number and the setting. */
  queue_full: GrpcStatus.RESOURCE_EXHAUSTED,
  /** The build has waited as long as it may; the message names the time, the setting and what it waited for. */
  queue_timeout: GrpcStatus.RESOURCE_EXHAUSTED,
  /** No replica can take the call; the message lists each replica and why it is out. */
  no_replica: GrpcStatus.UNAVAILABLE,
  /** The replica that had the call went away; the message names it. */
  upstream_lost: GrpcStatus.UNAVAILABLE,
  /** The answer of the whole fleet would lack a replica's part; the message names it and the setting. */
  replica_missing: GrpcStatus.UNAVAILABLE,
  /** No replica has what is to be changed. */
  not_found: GrpcStatus.NOT_FOUND,
  /** The fleet is set up in a way that cannot work; the message names the fix. */
  misconfigured: GrpcStatus.FAILED_PRECONDITION,
  /** The gateway is ending. */
  shutting_down: GrpcStatus.UNAVAILABLE,
  /** A defect of the gateway's. */
  internal: GrpcStatus.INTERNAL,
} as const satisfies Record<string, GrpcStatusCode>;

export type ErrorKind = keyof typeof ERROR_STATUS;

/**
 * An error that the gateway itself answers with. The message is lower case and holds no secret.
 *
 * It has no stack: call sites refer to the objects whose methods ran, and an
 * error that is remembered with its build would keep a connection in memory.
 */
export class GatewayError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options?: ErrorOptions) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message, options);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = "GatewayError";
    this.kind = kind;
  }

  /** The gRPC status a client sees. */
  get status(): GrpcStatusCode {
    return ERROR_STATUS[this.kind];
  }
}
