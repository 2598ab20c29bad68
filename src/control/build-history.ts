import { GatewayError } from "../base/errors.ts";
import { rfc3339 } from "../buildkit/daemon-time.ts";
import { firstContacts } from "../replicas/first-contact.ts";
import type { AnswerStream } from "./answer-stream.ts";
import { sendBuildRecord } from "./build-record.ts";
import type { ControlOptions } from "./control-options.ts";
import { followHistory } from "./follow-history.ts";
import { type HistoryRequest, readHistoryRequest } from "./history-request.ts";
import { listHistory } from "./list-history.ts";
import { requireComplete } from "./missing-policy.ts";
import { requireSomebody } from "./part-outcomes.ts";

/**
 * `ListenBuildHistory` of the whole fleet, in all its modes. Response headers
 * with the gateway's clock go out at once, as a daemon's do. Throws
 * GatewayError, or a replica's ServiceError.
 */
export async function listenBuildHistory(
  message: Buffer,
  answer: AnswerStream,
  options: ControlOptions,
): Promise<void> {
  const { fleet, clock, timeoutMs, incomplete } = options;
  answer.sendHeaders({ "buildkit-current-timestamp": rfc3339(clock.wallTime()) });
  const request = read(message);
  if (!request.isListing) {
    await followHistory(request, answer, options);
    return;
  }
  const isHeld = request.buildRef !== "" && fleet.holdersOf(request.buildRef).length > 0;
  if (!isHeld) await firstContacts(fleet, clock, timeoutMs);
  const missing =
    request.buildRef === ""
      ? await listHistory(request, answer, {
          ...options,
          onAsked: (fanOut) => {
            requireComplete("history", fanOut.missing, incomplete);
            requireSomebody(fanOut);
          },
        })
      : await sendBuildRecord(request, answer, { ...options, onAsked: requireSomebody });
  requireComplete("history", missing, incomplete);
}

function read(message: Buffer): HistoryRequest {
  try {
    const request = readHistoryRequest(message);
    if (request.limit < 0) throw new Error(`limit ${request.limit}`);
    return request;
  } catch (cause) {
    const text = `cannot read the request for builds: ${(cause as Error).message}`;
    throw new GatewayError("invalid_request", text, { cause });
  }
}
