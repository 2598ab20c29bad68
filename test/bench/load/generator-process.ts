import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { type Direction, startBulkLoad } from "./bulk-load.ts";
import { startContentLoad } from "./content-load.ts";
import type { Load, LoadTarget } from "./load.ts";
import { answerParent, type Sample } from "./parent.ts";
import { startUnaryLoad } from "./unary-load.ts";

/** What the generator can be told. One load at a time. */
export type GeneratorCommand =
  | { readonly t: "bulk"; readonly target: LoadTarget; readonly direction: Direction }
  | { readonly t: "unary"; readonly target: LoadTarget; readonly connections: number; readonly concurrency: number }
  /** Content is read, again and again. */
  | { readonly t: "content"; readonly target: LoadTarget }
  /** A method of BuildKit's with an empty request is called, one call after another. */
  | { readonly t: "method"; readonly target: LoadTarget; readonly path: string }
  | { readonly t: "sample" }
  | { readonly t: "stop" };

let load: Load | undefined;

answerParent<GeneratorCommand, Sample | undefined>(async (command) => {
  switch (command.t) {
    case "bulk":
      load = await startBulkLoad(command.target, command.direction);
      return undefined;
    case "unary":
      load = await startUnaryLoad(command.target, command.connections, command.concurrency);
      return undefined;
    case "content":
      load = await startContentLoad(command.target);
      return undefined;
    case "method": {
      const method = { path: command.path, request: grpcMessage(Buffer.alloc(0)) };
      load = await startUnaryLoad(command.target, 1, 1, method);
      return undefined;
    }
    case "sample": {
      const failure = load?.failure();
      if (failure) throw failure;
      return { count: load?.count() ?? 0, atMs: performance.now(), latency: load?.takeLatency() };
    }
    case "stop": {
      const stopped = load;
      load = undefined;
      await stopped?.stop();
      return undefined;
    }
  }
});
