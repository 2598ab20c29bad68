import { controlRpcs } from "../buildkit/wire-contracts.ts";
import { firstContacts } from "../replicas/first-contact.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut, type Part, type PartEnd } from "./fan-out.ts";
import { requireComplete } from "./missing-policy.ts";
import { firstRefusal, missingOf, requireSomebody } from "./part-outcomes.ts";

/**
 * `Prune` on all replicas: what each throws away, as it comes. Thresholds hold
 * for each daemon by itself. A replica that fails stops no other; the first
 * failure is thrown once all have ended (GatewayError, or the replica's
 * ServiceError). When the client cancels, all are cancelled.
 */
export async function prune(request: Buffer, answer: AnswerStream, options: ControlOptions): Promise<void> {
  const { fleet, clock, timeoutMs, incomplete } = options;
  await firstContacts(fleet, clock, timeoutMs);
  const fanOut = new FanOut({ fleet, clock, signal: answer.signal, connections: "own" });
  try {
    requireSomebody(fanOut);
    const ends = await Promise.all(fanOut.parts.map((part) => pruneOne(part, request, answer, options)));
    const refusal = firstRefusal(ends);
    if (refusal) throw refusal;
    requireComplete("prune", [...fanOut.missing, ...missingOf(ends)], incomplete);
  } finally {
    fanOut.close();
  }
}

async function pruneOne(
  part: Part,
  request: Buffer,
  answer: AnswerStream,
  { onPruned }: ControlOptions,
): Promise<PartEnd> {
  const records = part.stream(controlRpcs.Prune, request);
  let hasPruned = false;
  for (;;) {
    const next = await records.next();
    if (next.done) return next.value;
    // At once: it is gone, however the rest goes.
    if (!hasPruned) onPruned(part.id);
    hasPruned = true;
    await answer.write(next.value);
  }
}
