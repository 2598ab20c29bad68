import type { Buildx, BuildxRunOptions } from "../lab/buildx.ts";
import type { CommandResult } from "../lab/command.ts";

/** A buildx that runs: what it has said so far, and how it ends. */
export class BuildxRun {
  /** How it ended. */
  readonly ended: Promise<CommandResult>;
  readonly #signal = new AbortController();
  readonly #waiting = new Set<() => void>();
  #output = "";
  #ending: string | undefined;

  constructor(buildx: Buildx, args: readonly string[], options: Omit<BuildxRunOptions, "onOutput" | "signalOn">) {
    this.ended = buildx.run(args, {
      ...options,
      signalOn: this.#signal.signal,
      onOutput: (output) => {
        this.#output = output;
        this.#look();
      },
    });
    const end = (how: string) => {
      this.#ending = how;
      this.#look();
    };
    this.ended.then(
      ({ exitCode }) => end(`exit status ${exitCode}`),
      (reason: Error) => end(reason.message),
    );
  }

  /** All output so far. */
  get output(): string {
    return this.#output;
  }

  /** Resolves when the output matches. Rejects with the output if it ends without, or says nothing of it for `timeoutMs`. */
  says(pattern: RegExp, timeoutMs = 60_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        act();
      };
      const fail = (why: string) =>
        settle(() => reject(new Error(`buildx did not say ${pattern}: ${why}\n${this.#output.slice(-4_000)}`)));
      const look = () => {
        const match = pattern.exec(this.#output);
        if (match) settle(() => resolve(match));
        else if (this.#ending !== undefined) fail(this.#ending);
      };
      const timer = setTimeout(() => fail(`within ${timeoutMs} ms`), timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** Send it SIGINT, or the signal of its options; resolves when it has ended. */
  interrupt(): Promise<CommandResult> {
    this.#signal.abort();
    return this.ended;
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}
