import {
  type FieldBudget,
  fieldBudget,
  fieldText,
  ProtobufError,
  readFields,
  type WireField,
  WireType,
} from "./protobuf-reader.ts";

/**
 * What the gateway reads of a `moby.buildkit.v1.SolveRequest`
 * (moby/buildkit api/services/control/control.proto).
 */
export interface SolveRequest {
  /** The build ref. Never empty. */
  readonly buildRef: string;
  /** The client's session; empty where it has none. */
  readonly buildSession: string;
  /** Further sessions that the build draws on: `local-sessionid:*` (a bake's shared one), SourcePolicySession. None is empty. */
  readonly inputSessions: readonly string[];
  /** A client's own helper build, such as buildx's capability probe: bound to nothing, in no history. */
  readonly isInternal: boolean;
  /** The frontend's options that say what is built. May hold secrets (a token in `context`): never logged. */
  readonly attrs: ReadonlyMap<string, string>;
  /** `name` of each image exporter: comma-separated image names. */
  readonly imageNames: readonly string[];
}

/** Options of a frontend that are read; others (build arguments among them) are stepped over. */
const READ_ATTRS = new Set(["vcs:source", "vcs:localdir:context", "context"]);

const INPUT_SESSION_PREFIX = "local-sessionid:";

/** Read a SolveRequest. Throws ProtobufError, which names the field, when it is not one. */
export function readSolveRequest(message: Buffer): SolveRequest {
  let buildRef = "";
  let buildSession = "";
  let isInternal = false;
  const attrs = new Map<string, string>();
  const inputSessions = new Set<string>();
  const imageNames: string[] = [];
  const budget = fieldBudget();
  for (const field of readFields(message, budget)) {
    switch (field.number) {
      case 1:
        buildRef = fieldText(field);
        break;
      case 4:
      case 13:
        for (const name of exporterNames(field, budget)) imageNames.push(name);
        break;
      case 5:
        buildSession = fieldText(field);
        break;
      case 7: {
        const { key, value } = readMapEntry(field, budget);
        if (key.startsWith(INPUT_SESSION_PREFIX)) inputSessions.add(entryText(value));
        else if (READ_ATTRS.has(key)) attrs.set(key, entryText(value));
        break;
      }
      case 15:
        inputSessions.add(fieldText(field));
        break;
      case 11:
        isInternal = requireType(field, WireType.VARINT).varint !== 0;
        break;
    }
  }
  if (buildRef === "") throw new ProtobufError("field 1 (Ref) is missing");
  inputSessions.delete("");
  return { buildRef, buildSession, inputSessions: [...inputSessions], isInternal, attrs, imageNames };
}

/** Read the `Ref` of a StatusRequest; empty when it has none. */
export function readStatusRef(message: Buffer): string {
  let buildRef = "";
  for (const field of readFields(message)) if (field.number === 1) buildRef = fieldText(field);
  return buildRef;
}

/** Image names of an `Exporter` (field 13), or of one entry of `ExporterAttrsDeprecated` (field 4). */
function* exporterNames(exporter: WireField, budget: FieldBudget): Generator<string> {
  if (exporter.number === 4) {
    yield* nameIn(exporter, budget);
    return;
  }
  for (const field of readFields(requireType(exporter, WireType.LENGTH).bytes, budget)) {
    if (field.number === 2) yield* nameIn(field, budget);
  }
}

/** The value of the attribute `name`. */
function* nameIn(attr: WireField, budget: FieldBudget): Generator<string> {
  const { key, value } = readMapEntry(attr, budget);
  const name = key === "name" ? entryText(value) : "";
  if (name !== "") yield name;
}

/** A key as text, and the value as it lies there: buildkitd takes build arguments that are not UTF-8. */
function readMapEntry(entry: WireField, budget: FieldBudget): { key: string; value: WireField | undefined } {
  let key = "";
  let value: WireField | undefined;
  for (const field of readFields(requireType(entry, WireType.LENGTH).bytes, budget)) {
    if (field.number === 1) key = requireType(field, WireType.LENGTH).bytes.toString("utf8");
    else if (field.number === 2) value = field;
  }
  return { key, value };
}

function entryText(value: WireField | undefined): string {
  return value === undefined ? "" : fieldText(value);
}

function requireType(field: WireField, wireType: number): WireField {
  if (field.wireType !== wireType) throw new ProtobufError(`field ${field.number} has wire type ${field.wireType}`);
  return field;
}
