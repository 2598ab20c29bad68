/** What the gateway says to the user of a build that waits, as plain progress shows it. */
export const QUEUE_VERTEX = "[gateway] waiting for a replica";

/** The same, also where a bake has put its target's name in it. */
export const WAITS = /\[(?:\S+ )?gateway\] waiting for a replica/;

/** A place in the queue: the first group is the position, the second the queue's length. */
export const POSITION = /position (\d+) of (\d+) in the queue/;

/** The end of the wait: the first group is the replica, the second the reason. */
export const RUNNING_ON = /running on (\S+) \(([^)]*)\)/;

/** A certain place in the queue. */
export function position(place: number, length: number): RegExp {
  return new RegExp(`position ${place} of ${length} in the queue`);
}

/** All places that an output shows, in order. */
export function positionsIn(output: string): { readonly place: number; readonly length: number }[] {
  return [...output.matchAll(new RegExp(POSITION, "g"))].map(([, place, length]) => ({
    place: Number(place),
    length: Number(length),
  }));
}
