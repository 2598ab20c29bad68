import { GatewayError } from "../base/errors.ts";
import { ConnectionError, ErrorCode } from "../http2/errors.ts";

/** The bounds of what one peer may cost, by their names under `limits`. */
export const LIMIT_NAMES = [
  "connections",
  "handshakeTimeout",
  "connectTimeout",
  "headersTimeout",
  "requestTimeout",
  "streams",
  "headerListBytes",
  "replicaHeaderListBytes",
  "solveBytes",
  "heldBytes",
  "heldStreams",
  "backlogBytes",
  "controlFramesPerSecond",
  "resetsPerSecond",
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];

/** Who went past a limit: a client, by its address without the port, or a replica. */
export type LimitedPeer = { readonly client: string } | { readonly replica: string };

/** A peer has gone past a limit, and its call or connection is refused or ended. */
export type OnLimit = (limit: LimitName, peer: LimitedPeer) => void;

/** A peer has gone past a limit in a way that ends its connection. The message names the setting. */
export class ConnectionOverLimit extends ConnectionError {
  readonly limit: LimitName;

  constructor(limit: LimitName, text: string) {
    super(ErrorCode.ENHANCE_YOUR_CALM, `${text} (limits.${limit})`);
    this.limit = limit;
  }
}

/** A call has gone past a limit. The message names the setting. */
export class CallOverLimit extends GatewayError {
  readonly limit: LimitName;

  constructor(limit: LimitName, text: string) {
    super("limit_exceeded", `${text} (limits.${limit})`);
    this.limit = limit;
  }
}
