import { spawn } from "node:child_process";

/** How to run a command. */
export interface CommandOptions {
  /** The whole environment; nothing is inherited. Absent: ours. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Killed after this long. Default 120,000. */
  readonly timeoutMs?: number;
  /** Called with all output so far, after each piece. */
  readonly onOutput?: (output: string) => void;
  /** Called with all output so far, after each piece; at the first `true` the process gets `signal`. */
  readonly signalWhen?: (output: string) => boolean;
  /** As `signalWhen`, at the moment when this fires. */
  readonly signalOn?: AbortSignal;
  /** What `signalWhen` and `signalOn` send. Default SIGINT. */
  readonly signal?: NodeJS.Signals;
  /** Kills the command (SIGKILL), which then rejects. */
  readonly abort?: AbortSignal;
  /** Written to standard input, which is closed after it. */
  readonly input?: string | Buffer;
}

/** How a command ended. */
export interface CommandResult {
  /** Exit status; 128 + the signal's number when a signal ended it, as a shell counts. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** From the signal that `signalWhen` or `signalOn` asked for to the end; undefined when it was never sent. */
  readonly signalToExitMs: number | undefined;
}

const SIGNAL_NUMBERS: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/**
 * Run a command to its end, in bounded time.
 *
 * A status other than 0 is a result. Rejects when the program cannot be started
 * and when the time is up; the message then holds the end of its output.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const startedMs = performance.now();
  const timeoutMs = options.timeoutMs ?? 120_000;
  const child = spawn(file, args, {
    env: options.env,
    cwd: options.cwd,
    stdio: ["pipe", "pipe", "pipe"],
    signal: options.abort,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "", all: "" };
  let signalledMs: number | undefined;
  let isTimedOut = false;

  const sendSignal = () => {
    if (signalledMs !== undefined) return;
    signalledMs = performance.now();
    child.kill(options.signal ?? "SIGINT");
  };
  const collect = (name: "stdout" | "stderr") => (chunk: string) => {
    output[name] += chunk;
    output.all += chunk;
    options.onOutput?.(output.all);
    if (signalledMs === undefined && options.signalWhen?.(output.all)) sendSignal();
  };
  options.signalOn?.addEventListener("abort", sendSignal, { once: true });
  child.stdout.setEncoding("utf8").on("data", collect("stdout"));
  child.stderr.setEncoding("utf8").on("data", collect("stderr"));
  // A program that does not read its input closes the pipe: its exit status tells the story.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");

  const timer = setTimeout(() => {
    isTimedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);

  return new Promise((resolve, reject) => {
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new Error(options.abort?.aborted ? `${file} was ended` : `cannot run ${file}`, { cause }));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const endedMs = performance.now();
      if (isTimedOut) {
        reject(new Error(`${file} ${args[0] ?? ""}: no end after ${timeoutMs} ms:\n${output.all.slice(-4_000)}`));
        return;
      }
      resolve({
        exitCode: code ?? 128 + (SIGNAL_NUMBERS[signal ?? "SIGTERM"] ?? 0),
        stdout: output.stdout,
        stderr: output.stderr,
        durationMs: endedMs - startedMs,
        signalToExitMs: signalledMs === undefined ? undefined : endedMs - signalledMs,
      });
    });
  });
}

/** As {@link runCommand}, but a status other than 0 throws, with the end of the output. Returns standard output. */
export async function mustRun(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await runCommand(file, args, options);
  if (result.exitCode === 0) return result.stdout;
  throw new Error(`${file} ${args.join(" ")}: exit status ${result.exitCode}\n${result.stderr.slice(-4_000)}`);
}
