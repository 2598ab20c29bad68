import { entryText, exporterImageNames, READ_ATTRS, readMapEntry } from "./build-attrs.ts";
import { type FieldBudget, fieldBudget, ProtobufError, readFields, type WireField } from "./protobuf-reader.ts";

/** One event of a daemon's history of builds (`moby.buildkit.v1.BuildHistoryEvent`). Internal builds are in none. */
export type HistoryEvent =
  | ({ readonly t: "started" } & BuildRecord)
  /** Comes again whenever something of the record changes. */
  | ({ readonly t: "complete" } & BuildRecord)
  | ({ readonly t: "deleted" } & BuildRecord);

/** How many steps a build had, once it has ended. */
export interface BuildSteps {
  readonly cached: number;
  readonly completed: number;
  readonly total: number;
}

/** What is read of a `BuildHistoryRecord`. Times are by the daemon's clock, in ms since the epoch; 0 where it names none. */
export interface BuildRecord {
  /** Never empty. */
  readonly buildRef: string;
  readonly createdAtMs: number;
  readonly completedAtMs: number;
  /** Grows with each change of a completed build's record; 0 at first. */
  readonly generation: number;
  /** Says nothing of a build that goes on. */
  readonly isSuccess: boolean;
  /** The frontend's options that say what was built. May hold secrets: never logged. */
  readonly attrs: ReadonlyMap<string, string>;
  /** `name` of each image exporter: comma-separated image names. */
  readonly imageNames: readonly string[];
  readonly steps: BuildSteps;
}

/** The end of the year 9999, which a `google.protobuf.Timestamp` does not exceed (protobuf.dev, timestamp.proto). */
const MAX_SECONDS = 253_402_300_799;

const MAX_NANOS = 999_999_999;

const EVENT_TYPES = ["started", "complete", "deleted"] as const;

/** `undefined`: an event of a kind unknown here, or without a build. */
export function readHistoryEvent(message: Buffer): HistoryEvent | undefined {
  const budget = fieldBudget();
  let type = 0;
  let record: BuildRecord | undefined;
  try {
    for (const field of readFields(message, budget)) {
      if (field.number === 1) type = field.varint;
      else if (field.number === 2) record = readRecord(field.bytes, budget);
    }
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
  }
  const t = EVENT_TYPES[type];
  return t && record && { t, ...record };
}

/**
 * A client puts into its build's options what it likes. A record that cannot be
 * read to its end keeps its ref, which comes first, and counts as no success.
 */
function readRecord(message: Buffer, budget: FieldBudget): BuildRecord | undefined {
  let buildRef = "";
  let createdAtMs = 0;
  let completedAtMs = 0;
  let generation = 0;
  let isSuccess = true;
  const steps = { cached: 0, completed: 0, total: 0 };
  const attrs = new Map<string, string>();
  const imageNames: string[] = [];
  try {
    for (const field of readFields(message, budget)) {
      switch (field.number) {
        case 1:
          buildRef = field.bytes.toString("utf8");
          break;
        case 3: {
          const { key, value } = readMapEntry(field, budget);
          if (READ_ATTRS.has(key)) attrs.set(key, entryText(value));
          break;
        }
        case 4:
          for (const name of exporterImageNames(field, budget)) imageNames.push(name);
          break;
        case 5:
          isSuccess = false;
          break;
        case 6:
          createdAtMs = readTimestampMs(field, budget);
          break;
        case 7:
          completedAtMs = readTimestampMs(field, budget);
          break;
        case 12:
          generation = field.varint;
          break;
        case 15:
          steps.cached = field.varint;
          break;
        case 16:
          steps.total = field.varint;
          break;
        case 17:
          steps.completed = field.varint;
          break;
      }
    }
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    isSuccess = false;
  }
  if (buildRef === "") return undefined;
  return { buildRef, createdAtMs, completedAtMs, generation, isSuccess, attrs, imageNames, steps };
}

/** A `google.protobuf.Timestamp`; 0 where it lies before the epoch, a negative varint, or is none. */
function readTimestampMs(timestamp: WireField, budget: FieldBudget): number {
  let seconds = 0;
  let nanos = 0;
  for (const field of readFields(timestamp.bytes, budget)) {
    if (field.number === 1) seconds = field.varint;
    else if (field.number === 2) nanos = field.varint;
  }
  if (seconds > MAX_SECONDS || nanos > MAX_NANOS) return 0;
  return seconds * 1_000 + Math.floor(nanos / 1_000_000);
}
