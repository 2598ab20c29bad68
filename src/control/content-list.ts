import { readContentDigest } from "../buildkit/content-request.ts";
import { ProtobufError, readFields } from "../buildkit/protobuf-reader.ts";
import { lengthField } from "../buildkit/protobuf-writer.ts";
import { contentRpcs } from "../buildkit/wire-contracts.ts";
import { firstContacts } from "../replicas/first-contact.ts";
import type { AnswerStream } from "./answer-stream.ts";
import type { ControlOptions } from "./control-options.ts";
import { FanOut, type Part, type PartEnd } from "./fan-out.ts";
import { requireComplete } from "./missing-policy.ts";
import { firstRefusal, missingOf, requireSomebody } from "./part-outcomes.ts";

/** Digests that are remembered while one list is made; beyond it, content that several replicas have may be listed twice. */
const MAX_DIGESTS = 200_000;

/** `Content.List` of all replicas: each digest once. Throws GatewayError, or a replica's ServiceError. */
export async function listContent(request: Buffer, answer: AnswerStream, options: ControlOptions): Promise<void> {
  const { fleet, clock, timeoutMs, incomplete } = options;
  await firstContacts(fleet, clock, timeoutMs);
  const fanOut = new FanOut({ fleet, clock, signal: answer.signal, connections: "own" });
  const listed = new Set<string>();
  try {
    requireComplete("history", fanOut.missing, incomplete);
    requireSomebody(fanOut);
    const ends = await Promise.all(fanOut.parts.map((part) => listOne(part, request, answer, listed, timeoutMs)));
    const refusal = firstRefusal(ends);
    if (refusal) throw refusal;
    requireComplete("history", missingOf(ends), incomplete);
  } finally {
    fanOut.close();
  }
}

async function listOne(
  part: Part,
  request: Buffer,
  answer: AnswerStream,
  listed: Set<string>,
  timeoutMs: number,
): Promise<PartEnd> {
  const messages = part.stream(contentRpcs.List, request, timeoutMs);
  for (;;) {
    const next = await messages.next();
    if (next.done) return next.value;
    const news = withoutListed(next.value, listed);
    if (news.length > 0) await answer.write(news);
  }
}

/** A `ListContentResponse` without the entries whose digests were listed before; the others are as they came. */
function withoutListed(message: Buffer, listed: Set<string>): Buffer {
  const entries: Buffer[] = [];
  try {
    for (const { number, bytes } of readFields(message)) {
      // `Info` begins with the digest, as a request for it does.
      const digest = number === 1 ? readContentDigest(bytes) : "";
      if (number !== 1 || listed.has(digest)) continue;
      if (listed.size < MAX_DIGESTS) listed.add(digest);
      entries.push(lengthField(1, bytes));
    }
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    return message;
  }
  return Buffer.concat(entries);
}
