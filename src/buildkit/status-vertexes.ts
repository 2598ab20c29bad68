import { type FieldBudget, fieldBudget, ProtobufError, readFields } from "./protobuf-reader.ts";

/** A step of a build, as one message of its Status tells of it. */
export interface ToldVertex {
  readonly digest: string;
  readonly isCompleted: boolean;
}

/**
 * The steps in a `moby.buildkit.v1.StatusResponse`, in its order; what else is
 * in it, its lines of log above all, is stepped over. Where it cannot be read to
 * its end, those before.
 */
export function readStatusVertexes(message: Buffer): ToldVertex[] {
  const budget = fieldBudget();
  const vertexes: ToldVertex[] = [];
  try {
    for (const field of readFields(message, budget)) {
      if (field.number === 1) vertexes.push(readVertex(field.bytes, budget));
    }
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
  }
  return vertexes;
}

function readVertex(message: Buffer, budget: FieldBudget): ToldVertex {
  let digest = "";
  let isCompleted = false;
  for (const field of readFields(message, budget)) {
    if (field.number === 1) digest = field.bytes.toString("utf8");
    else if (field.number === 6) isCompleted = true;
  }
  return { digest, isCompleted };
}
