import { GatewayError } from "../base/errors.ts";
import { controlRpcs } from "../buildkit/wire-contracts.ts";
import { firstContacts } from "../replicas/first-contact.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut } from "./fan-out.ts";
import { requireComplete } from "./missing-policy.ts";
import { firstRefusal, missingOf, requireSomebody } from "./part-outcomes.ts";

/** Largest message that BuildKit's clients take (moby/buildkit defaults.DefaultMaxRecvMsgSize). */
const MAX_REPLY_BYTES = 16 * 2 ** 20;

/**
 * `DiskUsage` of all replicas: their records one after the other. A record of
 * one daemon is a field of its reply, so replies put together are one reply,
 * and no record is decoded. Throws GatewayError, or a replica's ServiceError.
 */
export async function diskUsage(request: Buffer, cancelled: AbortSignal, options: ControlOptions): Promise<Buffer> {
  const { fleet, clock, timeoutMs, slowTimeoutMs, incomplete } = options;
  await firstContacts(fleet, clock, timeoutMs);
  const ending = new AbortController();
  const signal = AbortSignal.any([cancelled, ending.signal]);
  const fanOut = new FanOut({ fleet, clock, signal, connections: "own" });
  let totalBytes = 0;
  try {
    requireComplete("diskUsage", fanOut.missing, incomplete);
    requireSomebody(fanOut);
    const answers = await Promise.all(
      fanOut.parts.map(async (part) => {
        const answer = await part.call(controlRpcs.DiskUsage, request, slowTimeoutMs);
        if (answer.t === "answered") totalBytes += answer.bytes.length;
        // What nobody could take need not be gathered.
        if (totalBytes > MAX_REPLY_BYTES) ending.abort();
        return answer;
      }),
    );
    if (totalBytes > MAX_REPLY_BYTES) {
      const text = `disk usage of ${fanOut.parts.length} replicas takes more than the ${MAX_REPLY_BYTES} bytes that a client accepts (ask with a filter, such as \`du --filter id=…\`, or prune)`;
      throw new GatewayError("limit_exceeded", text);
    }
    const refusal = firstRefusal(answers);
    if (refusal) throw refusal;
    requireComplete("diskUsage", missingOf(answers), incomplete);
    return Buffer.concat(answers.flatMap((answer) => (answer.t === "answered" ? [answer.bytes] : [])));
  } finally {
    fanOut.close();
  }
}
