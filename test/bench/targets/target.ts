import type { CertificateFiles } from "../certificate.ts";

/** What a target is given to run with. */
export interface TargetContext {
  /** The replica's ports. */
  readonly replica: { readonly plain: number; readonly tls: number };
  readonly certificate: CertificateFiles;
  /** A temporary folder of the target's own; whoever made it removes it. */
  readonly folder: string;
  /** Put in front of a command line, as in `taskset -c 1`. */
  readonly commandPrefix: readonly string[];
}

/** One way in: where to connect, and whose CPU time counts. */
export interface Entrance {
  readonly port: number;
  /** Absent where nothing stands between. */
  readonly pid: number | undefined;
}

/** A target that accepts connections. */
export interface RunningTarget {
  /** Program and version, for the report. */
  readonly version: string;
  readonly cleartext: Entrance;
  readonly tls: Entrance;
  /** Wants a client certificate. */
  readonly mtls: Entrance;
  stop(): Promise<void>;
}

/** Something to measure. */
export interface Target {
  readonly name: TargetName;
  start(context: TargetContext): Promise<RunningTarget>;
}

/** In the order of the report. */
export const TARGET_NAMES = ["direct", "gateway", "nginx", "haproxy", "nginx-stream", "haproxy-tcp"] as const;

export type TargetName = (typeof TARGET_NAMES)[number];
