/** One event of a gateway's log. */
export interface LogLine {
  readonly msg: string;
  /** pino's number: 20 debug, 30 info, 40 warn, 50 error. */
  readonly level: number;
  readonly [field: string]: unknown;
}

/** A gateway's log as it is written: to look at, and to wait for what it will say. */
export class LogLines {
  readonly all: LogLine[] = [];
  readonly #waiting = new Set<() => void>();
  #rest = "";
  #ending: string | undefined;

  /** Take in more of the log. Text that is no JSON, such as a message to the operator, is no line. */
  write(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    this.all.push(...lines.filter((line) => line.startsWith("{")).map((line): LogLine => JSON.parse(line)));
    for (const look of [...this.#waiting]) look();
  }

  /** Nothing more will be written: whoever still waits is told so, with `why`. */
  end(why: string): void {
    this.#ending = why;
    for (const look of [...this.#waiting]) look();
  }

  /** All lines of one event, those with these fields only. */
  of(msg: string, fields: Readonly<Record<string, unknown>> = {}): LogLine[] {
    return this.all.filter((line) => line.msg === msg && hasFields(line, fields));
  }

  /**
   * Resolves with the first line of an event that has these fields, from line
   * `from` on, already written or not. Rejects after `timeoutMs`, by default 60,000.
   */
  next(msg: string, fields: Readonly<Record<string, unknown>> = {}, from = 0, timeoutMs = 60_000): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        act();
      };
      const fail = (why: string) =>
        settle(() => reject(new Error(`"${msg}" with ${JSON.stringify(fields)} not logged: ${why}\n${this.tail()}`)));
      const look = () => {
        const line = this.all.slice(from).find((one) => one.msg === msg && hasFields(one, fields));
        if (line) settle(() => resolve(line));
        else if (this.#ending !== undefined) fail(this.#ending);
      };
      const timer = setTimeout(() => fail(`within ${timeoutMs} ms`), timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** The last lines, for a message to people. */
  tail(count = 20): string {
    return this.all
      .slice(-count)
      .map((line) => JSON.stringify(line))
      .join("\n");
  }
}

function hasFields(line: LogLine, fields: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}
