import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { type BulkShape, startBulkLoad } from "./bulk-load.ts";
import { type ClientCertificate, startConnectLoad } from "./connect-load.ts";
import { startContentLoad } from "./content-load.ts";
import { IdleLoad } from "./idle-load.ts";
import type { Load, LoadTarget } from "./load.ts";
import { startPacedLoad } from "./paced-load.ts";
import { answerParent, type Sample } from "./parent.ts";
import { startStatusLoad } from "./status-load.ts";
import { startUnaryLoad } from "./unary-load.ts";

/** What the generator can be told. One load at a time. */
export type GeneratorCommand =
  | ({ readonly t: "bulk"; readonly target: LoadTarget } & BulkShape)
  | { readonly t: "unary"; readonly target: LoadTarget; readonly connections: number; readonly concurrency: number }
  /** Calls at a fixed rate. */
  | { readonly t: "paced"; readonly target: LoadTarget; readonly connections: number; readonly callsPerSecond: number }
  | { readonly t: "status"; readonly target: LoadTarget; readonly connections: number; readonly streams: number }
  | { readonly t: "connects"; readonly target: LoadTarget; readonly certificate: ClientCertificate }
  /** Connections that stay open after one call; said again, more of them. */
  | { readonly t: "idle"; readonly target: LoadTarget; readonly connections: number }
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
      load = await startBulkLoad(command.target, command);
      return undefined;
    case "unary":
      load = await startUnaryLoad(command.target, command.connections, command.concurrency);
      return undefined;
    case "paced":
      load = await startPacedLoad(command.target, command.connections, command.callsPerSecond);
      return undefined;
    case "status":
      load = await startStatusLoad(command.target, command.connections, command.streams);
      return undefined;
    case "connects":
      load = await startConnectLoad(command.target, command.certificate);
      return undefined;
    case "idle": {
      const idle = load instanceof IdleLoad ? load : new IdleLoad(command.target);
      load = idle;
      await idle.growTo(command.connections);
      return undefined;
    }
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
