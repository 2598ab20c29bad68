/** Values at which code changes its mind. */
const ODD_OCTETS = [0, 1, 9, 16, 31, 32, 63, 64, 127, 128, 129, 192, 254, 255];

/** Most changes of one mutation. */
const MAX_CHANGES = 8;

/** What a mutation may take from. */
export interface MutationOptions {
  readonly random: () => number;
  readonly tokens: readonly Buffer[];
  readonly maxBytes: number;
}

/** Change an input in a few places; `other` is one that parts may be taken from. */
export function mutate(input: Buffer, other: Buffer, { random, tokens, maxBytes }: MutationOptions): Buffer {
  const below = (bound: number) => Math.floor(random() * bound);
  const octets = (most: number) => Buffer.from(Array.from({ length: 1 + below(most) }, () => below(256)));
  let bytes = Buffer.from(input);
  /** Take `lost` octets out at a place, and put others in. */
  const splice = (at: number, lost: number, added: Uint8Array) => {
    bytes = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + lost)]);
  };
  const part = (of: Buffer) => {
    const start = below(of.length + 1);
    return of.subarray(start, start + 1 + Math.floor(random() ** 2 * of.length));
  };
  const changes = [
    () => set(bytes, below, (octet) => octet ^ (1 << below(8))),
    () => set(bytes, below, () => below(256)),
    () => set(bytes, below, () => ODD_OCTETS[below(ODD_OCTETS.length)]!),
    () => set(bytes, below, (octet) => octet + below(9) - 4),
    () => splice(below(bytes.length + 1), 0, octets(8)),
    () => splice(below(bytes.length + 1), 1 + below(8), new Uint8Array(0)),
    () => splice(below(bytes.length + 1), 0, part(bytes)),
    () => splice(below(bytes.length + 1), below(16), part(other)),
    () => splice(below(bytes.length + 1), 0, tokens[below(tokens.length)] ?? octets(2)),
    () => splice(below(bytes.length + 1), bytes.length, new Uint8Array(0)),
  ];
  for (let left = 1 + Math.floor(random() ** 2 * MAX_CHANGES); left > 0; left--) changes[below(changes.length)]!();
  return bytes.subarray(0, maxBytes);
}

function set(bytes: Buffer, below: (bound: number) => number, change: (octet: number) => number): void {
  if (bytes.length === 0) return;
  const at = below(bytes.length);
  bytes[at] = change(bytes[at]!);
}

/** An input of random octets, more often short than long. */
export function randomOctets(random: () => number, maxBytes: number): Buffer {
  const bytes = Buffer.alloc(Math.floor(random() ** 3 * (maxBytes + 1)));
  for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random() * 256);
  return bytes;
}
