import { dataFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import type { BenchConnection, BenchStream } from "./bench-connection.ts";
import { STATUS_MESSAGE_BYTES, STATUS_PERIOD_MS } from "./shapes.ts";

const MESSAGE = dataFrame(0, grpcMessage(Buffer.alloc(STATUS_MESSAGE_BYTES - 5, 0x73)));

/** Says something on one stream every {@link STATUS_PERIOD_MS}, from a moment of its own on. */
export class StatusSender {
  readonly #timer: NodeJS.Timeout;

  constructor(
    connection: Pick<BenchConnection<BenchStream>, "sendWindowBytes" | "append" | "flush">,
    stream: BenchStream,
    setStreamId: (at: number, streamId: number) => void,
  ) {
    this.#timer = setInterval(() => {
      if (Math.min(connection.sendWindowBytes, stream.sendWindowBytes) < STATUS_MESSAGE_BYTES) return;
      connection.sendWindowBytes -= STATUS_MESSAGE_BYTES;
      stream.sendWindowBytes -= STATUS_MESSAGE_BYTES;
      setStreamId(connection.append(MESSAGE), stream.id);
      connection.flush();
    }, STATUS_PERIOD_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
