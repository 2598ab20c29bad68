import { dataFrame, headersFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { OK_TRAILERS_BLOCK, RESPONSE_BLOCK, trailersBlock } from "./shapes.ts";

const GRPC_UNIMPLEMENTED = 12;

const VERSION = message([1, "github.com/moby/buildkit"], [2, "v0.25.2"], [3, "bench"]);

const PLATFORM = message([1, "amd64"], [2, "linux"]);

/** A WorkerRecord: ID=1, platforms=3, BuildkitVersion=5. */
const WORKER = message([1, "bench-worker"], [3, PLATFORM], [5, VERSION]);

/** What a replica says of itself, by full method path; an answer is one message. */
const ANSWERS: ReadonlyMap<string, Buffer> = new Map([
  ["/grpc.health.v1.Health/Check", Buffer.of(0x08, 0x01)],
  ["/moby.buildkit.v1.Control/Info", message([1, VERSION])],
  ["/moby.buildkit.v1.Control/ListWorkers", message([1, WORKER])],
  ["/moby.buildkit.v1.Control/Solve", Buffer.alloc(0)],
  ["/containerd.services.content.v1.Content/Info", message([1, message([1, "sha256:bench"])])],
  ["/moby.buildkit.v1.frontend.LLBBridge/Ping", message([3, WORKER])],
  ["/moby.buildkit.v1.frontend.LLBBridge/Return", Buffer.alloc(0)],
]);

/** The frames that answer a call which is none of the benchmark's own: as a small buildkitd would. */
export function replicaAnswer(path: string, streamId: number): Buffer {
  const body = ANSWERS.get(path);
  if (!body) {
    const trailers = trailersBlock(GRPC_UNIMPLEMENTED, `unknown method ${path}`);
    return headersFrame(streamId, Buffer.concat([RESPONSE_BLOCK, trailers]), true);
  }
  return Buffer.concat([
    headersFrame(streamId, RESPONSE_BLOCK),
    dataFrame(streamId, grpcMessage(body)),
    headersFrame(streamId, OK_TRAILERS_BLOCK, true),
  ]);
}

/** A protobuf message of length-delimited fields, each shorter than 128 bytes, with numbers under 16. */
function message(...fields: readonly (readonly [number: number, value: string | Buffer])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      const bytes = Buffer.from(value);
      return [Buffer.of((number << 3) | 2, bytes.length), bytes];
    }),
  );
}
