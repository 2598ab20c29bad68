import { fieldText, ProtobufError, readFields, WireType } from "./protobuf-reader.ts";

/**
 * What the gateway reads of a `moby.buildkit.v1.SolveRequest`
 * (moby/buildkit api/services/control/control.proto).
 */
export interface SolveRequest {
  /** The build ref. Never empty. */
  readonly buildRef: string;
  /** The client's session; empty where it has none. */
  readonly buildSession: string;
  /** Further sessions that the build draws on: `local-sessionid:*` (a bake's shared one), SourcePolicySession. */
  readonly inputSessions: readonly string[];
  /** A client's own helper build, such as buildx's capability probe: bound to nothing, in no history. */
  readonly isInternal: boolean;
  /** The frontend's options that say what is built. May hold secrets (a token in `context`): never logged. */
  readonly attrs: ReadonlyMap<string, string>;
  /** `name` of each image exporter: comma-separated image names. */
  readonly imageNames: readonly string[];
}

/** Options of a frontend that are read; others (build arguments among them) are stepped over. */
const READ_ATTRS = new Set([
  "vcs:source",
  "vcs:localdir:context",
  "vcs:revision",
  "context",
  "filename",
  "target",
  "platform",
]);

const INPUT_SESSION_PREFIX = "local-sessionid:";

/** Read a SolveRequest. Throws ProtobufError, which names the field, when it is not one. */
export function readSolveRequest(message: Buffer): SolveRequest {
  let buildRef = "";
  let buildSession = "";
  let isInternal = false;
  const attrs = new Map<string, string>();
  const inputSessions = new Set<string>();
  const imageNames: string[] = [];
  for (const field of readFields(message)) {
    switch (field.number) {
      case 1:
        buildRef = fieldText(field);
        break;
      case 4:
      case 13:
        imageNames.push(...exporterNames(field.number, requireBytes(field)));
        break;
      case 5:
        buildSession = fieldText(field);
        break;
      case 7: {
        const [key, value] = readMapEntry(requireBytes(field));
        if (key.startsWith(INPUT_SESSION_PREFIX)) inputSessions.add(value);
        else if (READ_ATTRS.has(key)) attrs.set(key, value);
        break;
      }
      case 15: {
        const policySession = fieldText(field);
        if (policySession !== "") inputSessions.add(policySession);
        break;
      }
      case 11:
        isInternal = field.varint !== 0;
        break;
    }
  }
  if (buildRef === "") throw new ProtobufError("field 1 (Ref) is missing");
  return { buildRef, buildSession, inputSessions: [...inputSessions], isInternal, attrs, imageNames };
}

/** Read the `Ref` of a StatusRequest; empty when it has none. */
export function readStatusRef(message: Buffer): string {
  for (const field of readFields(message)) if (field.number === 1) return fieldText(field);
  return "";
}

/** Image names of an `Exporter` (field 13), or of one entry of `ExporterAttrsDeprecated` (field 4). */
function exporterNames(fieldNumber: number, bytes: Buffer): string[] {
  if (fieldNumber === 4) {
    const [key, value] = readMapEntry(bytes);
    return key === "name" && value !== "" ? [value] : [];
  }
  const names: string[] = [];
  for (const field of readFields(bytes)) {
    if (field.number !== 2) continue;
    const [key, value] = readMapEntry(requireBytes(field));
    if (key === "name" && value !== "") names.push(value);
  }
  return names;
}

function readMapEntry(bytes: Buffer): [key: string, value: string] {
  let key = "";
  let value = "";
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = fieldText(field);
    else if (field.number === 2) value = fieldText(field);
  }
  return [key, value];
}

function requireBytes(field: { number: number; wireType: number; bytes: Buffer }): Buffer {
  if (field.wireType !== WireType.LENGTH) throw new ProtobufError(`field ${field.number} is not length-delimited`);
  return field.bytes;
}
