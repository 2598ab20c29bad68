/** One element of an ASN.1 structure in DER, or in BER, whose lengths may be left open (X.690 section 8.1). */
export interface DerElement {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  /** Offset of the identifier octet. */
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  /** Offset behind the element, its end-of-contents octets included. */
  readonly end: number;
}

/** Identifier octets that certificates and their containers use. */
export const DerTag = {
  INTEGER: 0x02,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  SEQUENCE: 0x30,
  SET: 0x31,
  /** The constructed bit. */
  CONSTRUCTED: 0x20,
  /** `[0]`, constructed. */
  CONTEXT_0: 0xa0,
} as const;

/** What is wrong with an ASN.1 structure, and at which offset. */
export class MalformedDer extends Error {
  /** In bytes, from the start of the structure. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = "MalformedDer";
    this.offset = offset;
  }
}

/** Deepest nesting that is read. A certificate in PKCS#12 is about 15 deep. */
const MAX_DEPTH = 32;

/** Most elements of one structure that are listed. */
const MAX_CHILDREN = 100_000;

/**
 * Read the element at `at`, which must end by `limit`. Throws {@link MalformedDer}.
 *
 * Takes time in proportion to its headers, whatever the nesting, and no memory.
 */
export function readElement(bytes: Uint8Array, at: number, limit: number): DerElement {
  const head = readHead(bytes, at, limit);
  if (head.length !== undefined) {
    const contentEnd = head.contentStart + head.length;
    return { tag: head.tag, start: at, contentStart: head.contentStart, contentEnd, end: contentEnd };
  }
  const contentEnd = findEndOfContents(bytes, head.contentStart, limit);
  return { tag: head.tag, start: at, contentStart: head.contentStart, contentEnd, end: contentEnd + 2 };
}

/** The elements inside a constructed one. Throws {@link MalformedDer}. */
export function childrenOf(bytes: Uint8Array, parent: DerElement): DerElement[] {
  if ((parent.tag & DerTag.CONSTRUCTED) === 0) throw new MalformedDer("not a constructed element", parent.start);
  const children: DerElement[] = [];
  let at = parent.contentStart;
  while (at < parent.contentEnd) {
    if (children.length === MAX_CHILDREN) throw new MalformedDer(`more than ${MAX_CHILDREN} elements in one`, at);
    const child = readElement(bytes, at, parent.contentEnd);
    children.push(child);
    at = child.end;
  }
  return children;
}

/** The content of an octet string, also one that BER writes in pieces. Throws {@link MalformedDer}. */
export function octetsOf(bytes: Uint8Array, element: DerElement, depth = 0): Uint8Array {
  if ((element.tag & DerTag.CONSTRUCTED) === 0) return bytes.subarray(element.contentStart, element.contentEnd);
  if (depth === MAX_DEPTH) throw new MalformedDer(`nested more than ${MAX_DEPTH} deep`, element.start);
  return Buffer.concat(childrenOf(bytes, element).map((piece) => octetsOf(bytes, piece, depth + 1)));
}

/** An object identifier in dotted form: `1.2.840.113549.1.7.2`. Throws {@link MalformedDer}. */
export function oidOf(bytes: Uint8Array, element: DerElement | undefined): string {
  const length = element === undefined ? 0 : element.contentEnd - element.contentStart;
  if (element?.tag !== DerTag.OBJECT_IDENTIFIER || length === 0 || length > 32) {
    throw new MalformedDer("not an object identifier", element?.start ?? 0);
  }
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of bytes.subarray(element.contentStart, element.contentEnd)) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet & 0x80) continue;
    if (arcs.length > 0) arcs.push(arc);
    else arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    arc = 0;
  }
  return arcs.join(".");
}

/** A small non-negative integer, up to 2^31 - 1. Throws {@link MalformedDer}. */
export function smallIntegerOf(bytes: Uint8Array, element: DerElement | undefined): number {
  const length = element === undefined ? 0 : element.contentEnd - element.contentStart;
  const first = element && bytes[element.contentStart];
  if (element?.tag !== DerTag.INTEGER || length === 0 || length > 4 || first! > 0x7f) {
    throw new MalformedDer("not a small integer", element?.start ?? 0);
  }
  return bytes.subarray(element.contentStart, element.contentEnd).reduce((sum, octet) => sum * 256 + octet, 0);
}

interface Head {
  readonly tag: number;
  readonly contentStart: number;
  /** Absent: left open, and ended by end-of-contents octets. */
  readonly length: number | undefined;
}

function readHead(bytes: Uint8Array, at: number, limit: number): Head {
  if (at + 2 > limit) throw new MalformedDer("cut short", at);
  const tag = bytes[at]!;
  if ((tag & 0x1f) === 0x1f) throw new MalformedDer("a tag of several octets", at);
  const first = bytes[at + 1]!;
  if (first === 0x80) {
    if ((tag & DerTag.CONSTRUCTED) === 0) throw new MalformedDer("no length", at);
    return { tag, contentStart: at + 2, length: undefined };
  }
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  if (lengthOctets > 4) throw new MalformedDer("a length of more than 4 octets", at);
  const contentStart = at + 2 + lengthOctets;
  if (contentStart > limit) throw new MalformedDer("cut short", at);
  const length = lengthOctets === 0 ? first : bytes.subarray(at + 2, contentStart).reduce((sum, o) => sum * 256 + o, 0);
  if (contentStart + length > limit) {
    throw new MalformedDer(`cut short: ${length} bytes announced, ${limit - contentStart} there`, at);
  }
  return { tag, contentStart, length };
}

/** Where the content ends that began, with its length left open, at `from`. */
function findEndOfContents(bytes: Uint8Array, from: number, limit: number): number {
  let open = 1;
  let at = from;
  for (;;) {
    const { tag, contentStart, length } = readHead(bytes, at, limit);
    if (length === undefined) {
      open += 1;
      if (open > MAX_DEPTH) throw new MalformedDer(`nested more than ${MAX_DEPTH} deep`, at);
      at = contentStart;
    } else if (tag === 0 && length === 0) {
      open -= 1;
      if (open === 0) return at;
      at = contentStart;
    } else {
      at = contentStart + length;
    }
  }
}
