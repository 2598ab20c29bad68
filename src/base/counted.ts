/** A number with its noun, for people: `1 build`, `4 builds`. */
export function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
