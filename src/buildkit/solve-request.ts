import { attrImageNames, entryText, exporterImageNames, READ_ATTRS, readMapEntry } from "./build-attrs.ts";
import { fieldBudget, fieldText, ProtobufError, readFields, requireType, WireType } from "./protobuf-reader.ts";

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
  /** It has neither a definition nor a frontend: calls of a client-side frontend's say what it does. */
  readonly isFrontendless: boolean;
  /** The frontend's options that say what is built. May hold secrets (a token in `context`): never logged. */
  readonly attrs: ReadonlyMap<string, string>;
  /** `name` of each image exporter: comma-separated image names. */
  readonly imageNames: readonly string[];
  /** What the build asks to be granted: `network.host`, `security.insecure`, `device`. */
  readonly entitlements: readonly string[];
}

/** BuildKit knows three kinds; devices may be many. */
const MAX_ENTITLEMENTS = 1_000;

/** Real builds draw on a handful; each is remembered. */
const MAX_INPUT_SESSIONS = 1_000;

const INPUT_SESSION_PREFIX = "local-sessionid:";

/** Read a SolveRequest. Throws ProtobufError, which names the field, when it is not one. */
export function readSolveRequest(message: Buffer): SolveRequest {
  let buildRef = "";
  let buildSession = "";
  let policySession = "";
  let isInternal = false;
  let hasDefinition = false;
  let hasFrontend = false;
  const attrs = new Map<string, string>();
  const inputSessions = new Set<string>();
  const imageNames: string[] = [];
  const entitlements: string[] = [];
  const budget = fieldBudget();
  for (const field of readFields(message, budget)) {
    switch (field.number) {
      case 1:
        buildRef = fieldText(field);
        break;
      case 2:
        hasDefinition ||= requireType(field, WireType.LENGTH).bytes.length > 0;
        break;
      case 6:
        hasFrontend = requireType(field, WireType.LENGTH).bytes.length > 0;
        break;
      case 4:
        for (const name of attrImageNames(field, budget)) imageNames.push(name);
        break;
      case 13:
        for (const name of exporterImageNames(field, budget)) imageNames.push(name);
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
      case 9:
        entitlements.push(fieldText(field));
        if (entitlements.length > MAX_ENTITLEMENTS) {
          throw new ProtobufError(`more than ${MAX_ENTITLEMENTS} entitlements`);
        }
        break;
      case 15:
        policySession = fieldText(field);
        break;
      case 11:
        isInternal = requireType(field, WireType.VARINT).varint !== 0;
        break;
    }
  }
  if (buildRef === "") throw new ProtobufError("field 1 (Ref) is missing");
  inputSessions.add(policySession);
  inputSessions.delete("");
  if (inputSessions.size > MAX_INPUT_SESSIONS) throw new ProtobufError(`more than ${MAX_INPUT_SESSIONS} sessions`);
  return {
    buildRef,
    buildSession,
    inputSessions: [...inputSessions],
    isInternal,
    isFrontendless: !hasDefinition && !hasFrontend,
    attrs,
    imageNames,
    entitlements,
  };
}

/** Read the `Ref` of a StatusRequest; empty when it has none. */
export function readStatusRef(message: Buffer): string {
  let buildRef = "";
  for (const field of readFields(message)) if (field.number === 1) buildRef = fieldText(field);
  return buildRef;
}
