import { readFields, requireType, WireType } from "./protobuf-reader.ts";

/**
 * What a `moby.buildkit.v1.UpdateBuildHistoryRequest` does to a record, by the
 * names that policies use. `Pinned` false unpins, and is a Pin as well where
 * nothing else is asked for.
 *
 * Throws ProtobufError where it is none.
 */
export function historyUpdateName(message: Buffer): string {
  let isDelete = false;
  let isFinalize = false;
  for (const field of readFields(message)) {
    if (field.number === 3) isDelete = requireType(field, WireType.VARINT).varint !== 0;
    if (field.number === 4) isFinalize = requireType(field, WireType.VARINT).varint !== 0;
  }
  if (isDelete) return "UpdateBuildHistory.Delete";
  return isFinalize ? "UpdateBuildHistory.Finalize" : "UpdateBuildHistory.Pin";
}
