/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** What stands after BEGIN: `CERTIFICATE`. */
  readonly label: string;
  /** Line of its BEGIN, from 1. */
  readonly line: number;
  readonly der: Buffer;
}

/** A PEM file that cannot be read, or its blocks in the order of the file. */
export type PemOutcome =
  | { readonly t: "blocks"; readonly blocks: readonly PemBlock[] }
  | { readonly t: "malformed"; readonly line: number; readonly reason: string };

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";
const BASE64_LINE = /^[A-Za-z0-9+/]*={0,2}$/;

/** Whether there is a block in it at all. */
export function looksLikePem(bytes: Buffer): boolean {
  return bytes.includes(BEGIN);
}

/**
 * Split a PEM file into its blocks; text between them is left out. More than `maxBlocks` are malformed.
 *
 * Takes time and memory in proportion to the file.
 */
export function readPem(bytes: Buffer, maxBlocks: number): PemOutcome {
  const blocks: PemBlock[] = [];
  const malformed = (line: number, reason: string): PemOutcome => ({ t: "malformed", line, reason });
  let open: { label: string; line: number; base64: string[]; isHeader: boolean } | undefined;
  let line = 0;
  for (const text of linesOf(bytes)) {
    line += 1;
    if (text.startsWith(BEGIN) && text.endsWith(DASHES)) {
      if (open) return malformed(open.line, `no END of this block before the next BEGIN (line ${line})`);
      if (blocks.length === maxBlocks) return malformed(line, `more than ${maxBlocks} blocks in one file`);
      open = { label: text.slice(BEGIN.length, -DASHES.length), line, base64: [], isHeader: false };
    } else if (text.startsWith(END) && text.endsWith(DASHES)) {
      const label = text.slice(END.length, -DASHES.length);
      if (!open) return malformed(line, "an END without its BEGIN");
      if (open.label !== label) return malformed(line, "an END of another kind than its BEGIN");
      const der = decode(open.base64.join(""));
      if (der === undefined) return malformed(open.line, "not base64 of whole bytes");
      blocks.push({ label, line: open.line, der });
      open = undefined;
    } else if (open) {
      // An encrypted key's block begins with headers (RFC 1421), which an empty line ends.
      if (text.includes(":")) open.isHeader = true;
      else if (text === "") open.isHeader = false;
      else if (!open.isHeader && !BASE64_LINE.test(text)) return malformed(line, "not base64");
      else if (!open.isHeader) open.base64.push(text);
    }
  }
  if (open) return malformed(open.line, "no END of this block: the file is cut short");
  return { t: "blocks", blocks };
}

/** A certificate as a PEM block, with a line feed at its end. */
export function toPem(der: Uint8Array): string {
  const base64 = Buffer.from(der).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `${BEGIN}CERTIFICATE${DASHES}\n${lines.join("\n")}\n${END}CERTIFICATE${DASHES}\n`;
}

function* linesOf(bytes: Buffer): Generator<string> {
  // Latin-1 keeps one character a byte, whatever the comments are written in.
  const text = bytes.toString("latin1");
  let at = 0;
  while (at < text.length) {
    const feed = text.indexOf("\n", at);
    const end = feed === -1 ? text.length : feed;
    yield text.slice(at, end).trim();
    at = end + 1;
  }
}

function decode(base64: string): Buffer | undefined {
  if (base64.length % 4 !== 0 || !BASE64_LINE.test(base64)) return undefined;
  return Buffer.from(base64, "base64");
}
