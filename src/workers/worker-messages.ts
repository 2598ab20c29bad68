import type { LogLevel } from "../base/log.ts";

/** What a worker needs to become a gateway. Sent once, before anything else. */
export interface StartMessage {
  readonly t: "start";
  /** Its number, from 1 on. */
  readonly worker: number;
  /** The arguments of `serve`. */
  readonly argv: readonly string[];
  /** The configuration file as it was when the parent read it, as latin1: a worker that is started anew is like the others. */
  readonly files: Readonly<Record<string, string>>;
  /** The unix socket on which it is asked what an admin port is asked; absent: there is no admin port. */
  readonly adminPath?: string;
  /** What is logged now. */
  readonly logLevel: LogLevel;
}

/** What a worker is told. */
export type WorkerOrder =
  | StartMessage
  /** A client, whose socket comes with it; `way` is the index of its address among `clientAddresses`. */
  | { readonly t: "client"; readonly way: number }
  | { readonly t: "log_level"; readonly level: LogLevel }
  /** Go away, and end with status 0. */
  | { readonly t: "drain"; readonly delayMs: number }
  /** End at once, with status 1. */
  | { readonly t: "stop" };

/** What a worker tells its parent. */
export type WorkerReport =
  /** It takes clients. */
  | { readonly t: "serving" }
  /** It cannot, and ends. */
  | { readonly t: "not_started"; readonly reason: string }
  /** It has the socket of the last client: the next may come. */
  | { readonly t: "taken" }
  /**
   * Connections that are over, of all it was ever given, and the share of the last seconds in which its event loop had
   * work, 0 to 1 in hundredths.
   */
  | { readonly t: "load"; readonly closed: number; readonly busy: number };
