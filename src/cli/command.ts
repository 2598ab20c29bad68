import type { ParentChannel } from "../workers/serve-for-parent.ts";

/** Exit statuses of every command. */
export const ExitStatus = {
  OK: 0,
  /** It could not start, was made to end at once, or could not do what was asked. */
  FAILED: 1,
  /** The command line or the configuration is wrong; nothing was started or asked. */
  USAGE: 2,
  /** All was found to work, and something needs a look. */
  WARNING: 3,
} as const;

export type ExitStatusValue = (typeof ExitStatus)[keyof typeof ExitStatus];

/** What a command sees of the process that it runs in. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where signals arrive: the process. */
  readonly signals: SignalSource;
  /** Writes an answer to standard output. */
  readonly print: (text: string) => void;
  /** Writes an error to standard error. */
  readonly complain: (text: string) => void;
  /** The process that has started this one, where it has left a channel to it (nodejs.org, child_process: `fork`). */
  readonly parent?: ParentChannel | undefined;
  /** What standard output is, with its size as it is now; `undefined`: no terminal. */
  readonly terminal?: { readonly columns: number; readonly rows: number } | undefined;
  /** Standard error is a terminal. Absent: it is not. */
  readonly complainsToTerminal?: boolean;
}

/** The part of `process` that tells of signals. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
}

/** A subcommand. */
export interface Command {
  readonly name: string;
  /** One line for the program's help. */
  readonly summary: string;
  /** The full help text. */
  help(): string;
  /** Run it with the arguments after its name; resolves with the exit status. */
  run(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue>;
}

/** The name that messages and help texts carry. */
export const PROGRAM = "buildkit-gateway";
