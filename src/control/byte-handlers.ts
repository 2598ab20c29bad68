import {
  type MethodDefinition,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { GatewayError } from "../base/errors.ts";
import type { Rpc } from "../buildkit/replica-channel.ts";
import { type AnswerStream, CallAnswer } from "./answer-stream.ts";
import type { FacadeOptions } from "./facade.ts";

/** A method whose messages are bytes on both sides, so that no field is lost on the way through. */
export interface ByteRpc {
  readonly rpc: Rpc;
  readonly answer: (path: string, options: FacadeOptions) => ByteService;
}

/** What grpc-js needs of a method. */
interface ByteService {
  readonly definition: MethodDefinition<Buffer, Buffer>;
  readonly handler: UntypedHandleCall;
}

/** Serve a method that is answered once. `answer` may reject with GatewayError or a replica's ServiceError. */
export function unaryOf(
  answer: (request: Buffer, cancelled: AbortSignal, options: FacadeOptions) => Promise<Buffer>,
): ByteRpc["answer"] {
  return (path, options) => ({
    definition: byteDefinition(path, false),
    handler: async (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      const cancelled = new AbortController();
      call.on("cancelled", () => cancelled.abort());
      try {
        callback(null, await answer(call.request, cancelled.signal, options));
      } catch (error) {
        callback(toStatus(error as Error));
      }
    },
  });
}

/** Serve a method that is answered by a stream. `answer` may reject with GatewayError or a replica's ServiceError. */
export function streamOf(
  answer: (request: Buffer, stream: AnswerStream, options: FacadeOptions) => Promise<void>,
): ByteRpc["answer"] {
  return (path, options) => ({
    definition: byteDefinition(path, true),
    handler: async (call: ServerWritableStream<Buffer, Buffer>) => {
      try {
        await answer(call.request, new CallAnswer(call), options);
        call.end();
      } catch (error) {
        call.emit("error", toStatus(error as Error));
      }
    },
  });
}

function byteDefinition(path: string, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

/** A replica's own status as it came, ours from its table. */
function toStatus(error: Error): Partial<ServiceError> {
  if (error instanceof GatewayError) return { code: error.status, details: error.message };
  const { code, details, metadata } = error as ServiceError;
  if (code !== undefined) return { code, details, metadata };
  return { code: status.INTERNAL, details: error.message };
}
