/** Names that a variable may have: what every shell takes. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether a name may be given to {@link missingVariables}. */
export function isVariableName(name: string): boolean {
  return VARIABLE.test(name);
}

/**
 * What to append to an environment file, such as the one that `$GITHUB_ENV` names, so that each variable has
 * its value: nothing where the file's last word on it is that value already.
 *
 * A last line without its end is ended first. Values must be of one line: throws an Error otherwise.
 */
export function missingVariables(present: string, variables: ReadonlyMap<string, string>): string {
  const lines = present.split("\n");
  const missing: string[] = [];
  for (const [name, value] of variables) {
    if (/[\r\n]/.test(value)) throw new Error(`${name}: a value of several lines`);
    const last = lines.findLast((line) => line.startsWith(`${name}=`) || line.startsWith(`${name}<<`));
    if (last !== `${name}=${value}`) missing.push(`${name}=${value}\n`);
  }
  if (missing.length === 0) return "";
  return (present === "" || present.endsWith("\n") ? "" : "\n") + missing.join("");
}
