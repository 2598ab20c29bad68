/** States of a replica, the best first. */
const STATES = ["ready", "connecting", "draining", "ejected", "gone"];

/** Of what several workers say of one replica, what the one says that thinks least of it; the first of those that agree. */
export function leastWell<T extends { readonly state: string }>(told: readonly T[]): T {
  return told.reduce((worst, one) => (STATES.indexOf(one.state) > STATES.indexOf(worst.state) ? one : worst));
}

/** What several have told, put together by what it is about, in the order in which it was told first. */
export function byId<T>(told: readonly T[], idOf: (one: T) => string): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const one of told) {
    const known = groups.get(idOf(one));
    if (known) known.push(one);
    else groups.set(idOf(one), [one]);
  }
  return [...groups.values()];
}
