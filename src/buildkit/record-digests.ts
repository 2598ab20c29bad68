import { type FieldBudget, fieldBudget, ProtobufError, readFields } from "./protobuf-reader.ts";

/** Descriptors of a `BuildHistoryRecord`: logs, trace and externalError. */
const DESCRIPTOR_FIELDS = new Set([8, 13, 18]);

/** Its `BuildResultInfo`, and the map of them by platform. */
const RESULT_FIELD = 10;
const RESULTS_FIELD = 11;

/**
 * Digests of all content that a build's record names: what clients ask for once
 * they have read it. Takes the `BuildHistoryEvent` as it came; of one that
 * cannot be read to its end, what came before.
 */
export function readRecordDigests(message: Buffer): string[] {
  const digests = new Set<string>();
  try {
    const budget = fieldBudget();
    for (const event of readFields(message, budget)) {
      if (event.number === 2) addRecord(event.bytes, budget, digests);
    }
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
  }
  digests.delete("");
  return [...digests];
}

function addRecord(record: Buffer, budget: FieldBudget, digests: Set<string>): void {
  for (const { number, bytes } of readFields(record, budget)) {
    if (DESCRIPTOR_FIELDS.has(number)) digests.add(descriptorDigest(bytes, budget));
    else if (number === RESULT_FIELD) addResult(bytes, budget, digests);
    else if (number === RESULTS_FIELD) addResult(mapValue(bytes, budget), budget, digests);
  }
}

/** `BuildResultInfo`: ResultDeprecated=1, Attestations=2, Results=3 by number. */
function addResult(result: Buffer, budget: FieldBudget, digests: Set<string>): void {
  for (const { number, bytes } of readFields(result, budget)) {
    if (number === 1 || number === 2) digests.add(descriptorDigest(bytes, budget));
    else if (number === 3) digests.add(descriptorDigest(mapValue(bytes, budget), budget));
  }
}

function mapValue(entry: Buffer, budget: FieldBudget): Buffer {
  let value: Buffer = Buffer.alloc(0);
  for (const { number, bytes } of readFields(entry, budget)) if (number === 2) value = bytes;
  return value;
}

function descriptorDigest(descriptor: Buffer, budget: FieldBudget): string {
  let digest = "";
  for (const { number, bytes } of readFields(descriptor, budget)) if (number === 2) digest = bytes.toString("utf8");
  return digest;
}
