/** What a terminal acts on or leaves out, and what breaks a line. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Make text from outside fit for one line of a terminal: at most
 * `maxCharacters` long, and `?` in the place of control and format characters.
 */
export function printable(text: string, maxCharacters: number): string {
  const cut = text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1)}…`;
  return cut.replace(UNPRINTABLE, "?");
}
