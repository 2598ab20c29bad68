import { SOLVE, sessionBlock, solveMessage } from "./build-calls.ts";
import {
  dataFrame,
  encodeFrame,
  Flag,
  FrameType,
  headersFrame,
  pingFrame,
  rstStreamFrame,
  Setting,
  settingsAckFrame,
  settingsFrame,
  windowUpdateFrame,
} from "./raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "./raw-http2/grpc-fields.ts";

/** Frames as a client or a replica sends them, in some order that makes sense. */
export function plausibleFrames(random: () => number, streamIds: readonly number[], isReplica: boolean): Buffer[] {
  const id = () => streamIds[Math.floor(random() * streamIds.length)]!;
  const block = () => (isReplica ? RESPONSE_BLOCK : requestBlock());
  const makers = [
    () => headersFrame(id(), block(), random() < 0.3),
    () => encodeFrame(FrameType.HEADERS, 0, id(), block().subarray(0, 7)),
    () => encodeFrame(FrameType.CONTINUATION, Flag.END_HEADERS, id(), block().subarray(7)),
    () => headersFrame(id(), OK_BLOCK, true),
    () => headersFrame(id(), sessionBlock(`session ${id()}`)),
    () => headersFrame(id(), requestBlock(SOLVE)),
    () => dataFrame(id(), solveMessage({ ref: `ref ${id()}` }), random() < 0.5),
    () => dataFrame(id(), Buffer.alloc(Math.floor(random() * 2_000)), random() < 0.2, random() < 0.3 ? 9 : undefined),
    () => windowUpdateFrame(random() < 0.3 ? 0 : id(), Math.floor(random() * 100_000)),
    () => settingsFrame([[Setting.INITIAL_WINDOW_SIZE, Math.floor(random() * 100_000)]]),
    () => settingsAckFrame(),
    () => pingFrame(Buffer.alloc(8)),
    () => rstStreamFrame(id(), Math.floor(random() * 14)),
    () => encodeFrame(FrameType.PRIORITY, 0, id(), Buffer.alloc(5)),
    () =>
      encodeFrame(Math.floor(random() * 16), Math.floor(random() * 256), id(), Buffer.alloc(Math.floor(random() * 40))),
  ];
  return Array.from({ length: 5 + Math.floor(random() * 40) }, () => makers[Math.floor(random() * makers.length)]!());
}
