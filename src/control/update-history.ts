import { GatewayError } from "../base/errors.ts";
import { controlRpcs, type UpdateBuildHistoryRequest } from "../buildkit/wire-contracts.ts";
import { firstContacts } from "../replicas/first-contact.ts";
import { describeMissing } from "../replicas/replica-survey.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut } from "./fan-out.ts";
import { requireComplete } from "./missing-policy.ts";
import { firstRefusal, missingOf } from "./part-outcomes.ts";

/**
 * `UpdateBuildHistory`, where the record is.
 *
 * A daemon that is told to delete what it does not have says so and tells
 * everybody of a deletion, so the record is looked for first. Of a ref that is
 * on several replicas every record is changed. To finalize an unknown ref is
 * no error anywhere: where it is not known who has it, all are asked. Throws
 * GatewayError, or a replica's ServiceError.
 */
export async function updateBuildHistory(
  message: Buffer,
  cancelled: AbortSignal,
  options: ControlOptions,
): Promise<Buffer> {
  const { fleet, clock, slowTimeoutMs } = options;
  const { Ref: buildRef, Delete, Finalize } = read(message);
  let holders: readonly string[] | undefined = fleet.holdersOf(buildRef);
  if (holders.length === 0) {
    await firstContacts(fleet, clock, options.timeoutMs);
    holders = Finalize && !Delete ? undefined : [await locate(buildRef, options)];
  }
  const only = holders && { only: holders };
  const fanOut = new FanOut({ fleet, clock, signal: cancelled, connections: "shared", ...only });
  try {
    const answers = await Promise.all(
      fanOut.parts.map((part) => part.call(controlRpcs.UpdateBuildHistory, message, slowTimeoutMs)),
    );
    const refusal = firstRefusal(answers);
    if (refusal) throw refusal;
    const missing = [...fanOut.missing, ...missingOf(answers)];
    if (!holders) requireComplete("history", missing, options.incomplete);
    else if (missing.length > 0) throw unlocated(buildRef, missing);
    else if (!answers.some(({ t }) => t === "answered")) throw notFound(buildRef);
    return Buffer.alloc(0);
  } finally {
    fanOut.close();
  }
}

async function locate(buildRef: string, { search }: ControlOptions): Promise<string> {
  const outcome = await search.build(buildRef);
  if (outcome.t === "found") return outcome.replicaId;
  if (outcome.t === "absent") throw notFound(buildRef);
  throw unlocated(buildRef, outcome.missing);
}

function notFound(buildRef: string): GatewayError {
  return new GatewayError("not_found", `no replica has build ${buildRef} in its history`);
}

function unlocated(buildRef: string, missing: Parameters<typeof describeMissing>[0]): GatewayError {
  const text = `build ${buildRef} cannot be changed without ${describeMissing(missing)}`;
  return new GatewayError("replica_missing", text);
}

function read(message: Buffer): Required<UpdateBuildHistoryRequest> {
  try {
    return controlRpcs.UpdateBuildHistory.requestDeserialize(message) as Required<UpdateBuildHistoryRequest>;
  } catch (cause) {
    const text = `cannot read the change of a build's record: ${(cause as Error).message}`;
    throw new GatewayError("invalid_request", text, { cause });
  }
}
