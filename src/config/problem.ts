/** One thing that is wrong with the configuration. */
export interface Problem {
  /** Setting, flag, variable or file that is wrong. Empty where the message says it all. */
  readonly subject: string;
  /** Where the wrong value came from: a flag, a variable, or `file:line`. */
  readonly origin?: string | undefined;
  readonly message: string;
}

/** Longest message that is printed in full; what an operator typed may be any length. */
const MAX_MESSAGE_CHARACTERS = 300;

/** What a terminal acts on or does not show. */
const INVISIBLE = /\p{C}/u;

/** One line: `drain.grace (gateway.yaml:4): not a duration: "300" (write 250ms, 30s, 5m or 1h)`. */
export function formatProblem({ subject, origin, message }: Problem): string {
  const where = origin === undefined ? subject : `${subject} (${origin})`;
  const isLong = message.length > MAX_MESSAGE_CHARACTERS;
  const shown = isLong ? `${message.slice(0, MAX_MESSAGE_CHARACTERS)}…` : message;
  return `${where === "" ? "" : `${where}: `}${shown}`.replace(/\s*\n\s*/g, " ");
}

/** `["replicas", 1, "address"]` as people write it: `replicas[1].address`. A key that cannot be seen is quoted. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    const name = String(key);
    const shown = name === "" || INVISIBLE.test(name) ? JSON.stringify(name) : name;
    return text === "" ? shown : `${text}.${shown}`;
  }, "");
}
