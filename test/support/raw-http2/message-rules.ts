import type { Field } from "./hpack-encoder.ts";

const REQUEST_PSEUDO = [":method", ":scheme", ":path", ":authority"];
const CONNECTION_SPECIFIC = ["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"];

/**
 * What one end says on one stream, held against the rules for a message
 * (RFC 9113 §8). Written apart from the product's own, from the RFC's text.
 */
export class MessageRules {
  readonly #isRequest: boolean;
  #phase: "nothing" | "interim" | "body" = "nothing";
  #promisedBytes: number | undefined;

  constructor(isRequest: boolean) {
    this.#isRequest = isRequest;
  }

  /** One header list; returns what is wrong with it. */
  headers(fields: readonly Field[], isEndStream: boolean): string | undefined {
    const pseudo = fields.filter(([name]) => name.startsWith(":"));
    const fault = pseudoOrderFault(fields) ?? fields.map(fieldFault).find((found) => found !== undefined);
    if (fault !== undefined) return fault;
    if (this.#phase === "body") {
      if (pseudo.length > 0) return "§8.1: pseudo-headers in trailers";
      return isEndStream ? this.#endFault() : "§8.1: a second header list that does not end the stream";
    }
    const names = pseudo.map(([name]) => name);
    if (this.#isRequest) {
      if (names.some((name) => !REQUEST_PSEUDO.includes(name))) return `§8.3.1: pseudo-headers ${names}`;
      for (const name of REQUEST_PSEUDO.slice(0, 3)) if (!names.includes(name)) return `§8.3.1: no ${name}`;
    } else if (names.length !== 1 || names[0] !== ":status") return `§8.3.2: pseudo-headers ${names}`;
    const status = this.#isRequest ? "" : pseudo[0]![1];
    if (status.startsWith("1")) {
      this.#phase = "interim";
      return isEndStream ? "§8.1: an interim response that ends the stream" : undefined;
    }
    this.#phase = "body";
    const length = fields.find(([name]) => name === "content-length")?.[1];
    if (length !== undefined && status !== "204" && status !== "304") this.#promisedBytes = Number(length);
    return isEndStream ? this.#endFault() : undefined;
  }

  /** Octets of DATA, padding left out; returns what is wrong with them. */
  data(bytes: number, isEndStream: boolean): string | undefined {
    if (this.#phase !== "body") return "§8.1: DATA before a header list";
    if (this.#promisedBytes !== undefined) this.#promisedBytes -= bytes;
    if ((this.#promisedBytes ?? 0) < 0) return "§8.1.1: more DATA than content-length";
    return isEndStream ? this.#endFault() : undefined;
  }

  #endFault(): string | undefined {
    return (this.#promisedBytes ?? 0) === 0 ? undefined : "§8.1.1: less DATA than content-length";
  }
}

function pseudoOrderFault(fields: readonly Field[]): string | undefined {
  const firstRegular = fields.findIndex(([name]) => !name.startsWith(":"));
  const pseudo = fields.flatMap(([name], index) => (name.startsWith(":") ? [{ name, index }] : []));
  if (firstRegular >= 0 && pseudo.some(({ index }) => index > firstRegular))
    return "§8.3: a pseudo-header behind a field";
  return new Set(pseudo.map(({ name }) => name)).size < pseudo.length ? "§8.3: a pseudo-header twice" : undefined;
}

function fieldFault([name, value]: Field): string | undefined {
  if (!/^:?[!-9;-@[-~]+$/.test(name)) return `§8.2.1: the name ${JSON.stringify(name)}`;
  if (/[\0\r\n]/.test(value) || /^[ \t]|[ \t]$/.test(value)) return `§8.2.1: the value of ${name}`;
  if (CONNECTION_SPECIFIC.includes(name)) return `§8.2.2: ${name}`;
  return name === "te" && value.toLowerCase() !== "trailers" ? "§8.2.2: te other than trailers" : undefined;
}
