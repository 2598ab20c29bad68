import { deepStrictEqual, ok } from "node:assert/strict";
import { READ_ATTRS } from "../../../src/buildkit/build-attrs.ts";
import { ProtobufError } from "../../../src/buildkit/protobuf-reader.ts";
import { readSolveRequest, type SolveRequest } from "../../../src/buildkit/solve-request.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { Draw } from "../draw.ts";
import { drawMessage, entryContent, textContent } from "../drawn-protobuf.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { isPlainUtf8, type PlainField, readPlainFields } from "../plain-protobuf.ts";

/** The first octet of an input whose others are the message itself. */
const AS_IT_IS = 0;

const SESSION_KEY = "local-sessionid:";

/** What only our reader refuses. */
const OWN_RULES = /field 1 \(Ref\) is missing|more than \d+ (fields|entitlements|sessions)/;

/** The fields' wire types. */
const TEXTS = new Set([1, 3, 5, 6, 9, 15].map(BigInt));
const OCTETS = new Set([2, 4, 7, 8, 10, 12, 13].map(BigInt));
const NUMBERS = new Set([11, 14, 16, 17].map(BigInt));

const REAL: readonly object[] = [
  { Ref: "r1", Session: "s1", Internal: true },
  {
    Ref: "ref1",
    Definition: Buffer.alloc(40, 1),
    ExporterDeprecated: "image",
    ExporterAttrsDeprecated: { name: "acme/app:1", push: "true" },
    Session: "session1",
    Frontend: "dockerfile.v0",
    FrontendAttrs: {
      "vcs:source": "https://github.com/acme/app.git",
      "vcs:localdir:context": "sub",
      "local-sessionid:context": "shared1",
      "build-arg:TOKEN": "x",
      filename: "Dockerfile",
    },
    Cache: Buffer.from([1]),
    Entitlements: ["network.host"],
    FrontendInputs: { base: Buffer.alloc(10) },
    Exporters: [{ Type: "image", Attrs: { push: "true", name: "acme/app:1,acme/app:latest" } }],
    EnableSessionExporter: true,
    SourcePolicySession: "policy",
    CompatibilityVersion: "30",
    ProxyNetwork: true,
  },
];

/**
 * A Solve, and every beginning of it, is read as protobufjs reads it, or both
 * refuse it. What protobufjs is known to read in its own way (other wire types,
 * varints beyond 32 bits, texts that are not UTF-8) only has to be bounded.
 */
export const target: FuzzTarget = {
  name: "solve",
  maxInputBytes: 1_500,
  shortRunInputs: 1_000,
  sources: ["buildkit/solve-request.ts", "buildkit/protobuf-reader.ts", "buildkit/build-attrs.ts"],
  seeds: REAL.map((request) =>
    Buffer.concat([Buffer.of(AS_IT_IS), controlRpcs.Solve.requestSerialize(request as never)]),
  ),
  tokens: ["vcs:source", "context", "local-sessionid:x", "name"].map((text) => Buffer.from(text)),
  open: () => ({ run }),
};

function run(input: Buffer): void {
  const draw = new Draw(input);
  const message = draw.byte() % 2 === AS_IT_IS ? draw.rest() : drawSolve(draw);
  check(message);
  const step = Math.max(1, Math.floor(message.length / 16));
  for (let cut = message.length - 1; cut >= 0; cut -= step) check(message.subarray(0, cut));
}

function drawSolve(draw: Draw): Buffer {
  const attrs = entryContent([...READ_ATTRS, "local-sessionid:a", "local-sessionid:b", "build-arg:X", "name"]);
  const exporter = (it: Draw) => drawMessage(it, { 1: textContent, 2: entryContent(["name", "push"]) });
  return drawMessage(draw, {
    1: textContent,
    2: textContent,
    3: textContent,
    4: entryContent(["name", "push"]),
    5: textContent,
    6: textContent,
    7: attrs,
    9: textContent,
    11: "varint",
    13: exporter,
    15: textContent,
    16: "varint",
  });
}

/** What protobufjs makes of a Solve, where it keeps the values that the contract gives. */
interface Decoded {
  readonly Ref: string;
  readonly Session: string;
  readonly Internal: boolean;
  readonly Definition: Buffer;
  readonly Frontend: string;
  readonly FrontendAttrs: Readonly<Record<string, string>>;
  readonly ExporterAttrsDeprecated: Readonly<Record<string, string>>;
  readonly Exporters: readonly { readonly Attrs: Readonly<Record<string, string>> }[];
  readonly Entitlements: readonly string[];
  readonly SourcePolicySession: string;
}

function check(message: Buffer): void {
  const solve = readOurs(message);
  const oddity = oddityOf(message);
  if (oddity === "malformed") ok(solve instanceof ProtobufError, "read, though it is no message");
  if (oddity !== "none" && oddity !== "repeated key") return;
  const decoded = controlRpcs.Solve.requestDeserialize(message) as unknown as Decoded;
  if (solve instanceof ProtobufError) {
    ok(OWN_RULES.test(solve.message), `refused for nothing: ${solve.message}`);
    return;
  }
  const attrs = Object.entries(decoded.FrontendAttrs);
  deepStrictEqual(
    [solve.buildRef, solve.buildSession, solve.isInternal, solve.entitlements, solve.isFrontendless],
    [
      decoded.Ref,
      decoded.Session,
      decoded.Internal,
      decoded.Entitlements,
      decoded.Definition.length === 0 && decoded.Frontend === "",
    ],
  );
  deepStrictEqual(new Map([...solve.attrs].sort()), new Map(attrs.filter(([key]) => READ_ATTRS.has(key)).sort()));
  const sessions = attrs.filter(([key]) => key.startsWith(SESSION_KEY)).map(([, text]) => text);
  const names = [decoded.ExporterAttrsDeprecated, ...decoded.Exporters.map(({ Attrs }) => Attrs)].map(
    ({ name }) => name,
  );
  same(solve.inputSessions, [...sessions, decoded.SourcePolicySession], oddity === "repeated key");
  same(solve.imageNames, names, oddity === "repeated key");
}

/** Of a key that is given twice, protobufjs keeps the last value and we keep both. */
function same(ours: readonly string[], theirs: readonly (string | undefined)[], isSubset: boolean): void {
  const expected = new Set(theirs.filter((text) => text !== undefined && text !== ""));
  if (isSubset) for (const text of expected) ok(ours.includes(text!), `${JSON.stringify(text)} is missing`);
  else deepStrictEqual([...new Set(ours)].sort(), [...expected].sort());
}

function readOurs(message: Buffer): SolveRequest | ProtobufError {
  try {
    return readSolveRequest(message);
  } catch (reason) {
    if (reason instanceof ProtobufError) return reason;
    throw reason;
  }
}

type Oddity = "none" | "repeated key" | "odd" | "malformed";

/** What about a message is read in different ways by different readers. */
function oddityOf(message: Buffer): Oddity {
  try {
    const fields = readPlainFields(message);
    const maps = fields.filter(({ number }) => number === 7n || number === 4n);
    const exporters = fields.filter(({ number }) => number === 13n).map(({ bytes }) => readPlainFields(bytes));
    const exporterAttrs = exporters.map((exporter) => exporter.filter(({ number }) => number === 2n));
    const entries = [...maps, ...exporterAttrs.flat()].map(({ bytes }) => readPlainFields(bytes));
    const inputs = fields.filter(({ number }) => number === 10n);
    const isOdd =
      fields.some(isOddField) ||
      exporters.flat().some(isOddEntryField) ||
      entries.flat().some(isOddEntryField) ||
      // Their entries are stepped over by us and read by protobufjs.
      inputs.length > 0 ||
      // Messages that are given twice are merged (protobuf.dev, Encoding); of octets, as the contract has it, the last count.
      fields.filter(({ number }) => number === 2n).length > 1;
    if (isOdd) return "odd";
    const mapsOfKeys = [maps.filter(({ number }) => number === 7n), maps.filter(({ number }) => number === 4n)];
    return [...mapsOfKeys, ...exporterAttrs].some(hasRepeatedKey) ? "repeated key" : "none";
  } catch {
    return "malformed";
  }
}

function isOddField({ number, wireType, varint, bytes }: PlainField): boolean {
  if (TEXTS.has(number)) return wireType !== 2 || !isPlainUtf8(bytes);
  if (OCTETS.has(number)) return wireType !== 2;
  return NUMBERS.has(number) && (wireType !== 0 || varint >= 1n << 32n);
}

/** Of an entry of a map, and of an exporter: both have nothing but 1 and 2, of which at most one is no text. */
function isOddEntryField({ number, wireType, bytes }: PlainField): boolean {
  return number <= 2n && (wireType !== 2 || !isPlainUtf8(bytes));
}

function hasRepeatedKey(entries: readonly PlainField[]): boolean {
  const keys = entries.map(({ bytes }) => {
    const key = readPlainFields(bytes).findLast(({ number }) => number === 1n);
    return key?.bytes.toString("utf8") ?? "";
  });
  return new Set(keys).size < keys.length;
}
