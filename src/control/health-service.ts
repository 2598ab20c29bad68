import { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData, status } from "@grpc/grpc-js";
import type { Cancel } from "../base/clock.ts";
import type { ServingStatus } from "../buildkit/wire-contracts.ts";

/** Whether the gateway takes builds, and when that changes. */
export interface Acceptance {
  readonly acceptsBuilds: () => boolean;
  readonly onChange: (listener: () => void) => Cancel;
}

type Request = { readonly service: string };
type Response = { readonly status: ServingStatus };

/** Services whose health is known: the server as a whole, and Control. */
const SERVICES = new Set(["", "moby.buildkit.v1.Control"]);

/** `grpc.health.v1.Health` for the whole fleet (grpc/grpc doc/health-checking.md). */
export class HealthService {
  readonly #acceptance: Acceptance;

  constructor(acceptance: Acceptance) {
    this.#acceptance = acceptance;
  }

  check(call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void {
    const { service } = call.request;
    if (SERVICES.has(service)) callback(null, { status: this.#status() });
    else callback({ code: status.NOT_FOUND, details: `unknown service ${JSON.stringify(service)}` });
  }

  /** An unknown service is an answer here, since it might come to be known. */
  watch(call: ServerWritableStream<Request, Response>): void {
    if (!SERVICES.has(call.request.service)) {
      call.write({ status: "SERVICE_UNKNOWN" });
      return;
    }
    let told = this.#status();
    call.write({ status: told });
    const cancel = this.#acceptance.onChange(() => {
      const now = this.#status();
      if (now === told) return;
      told = now;
      call.write({ status: now });
    });
    call.on("cancelled", cancel);
    call.on("close", cancel);
  }

  #status(): ServingStatus {
    return this.#acceptance.acceptsBuilds() ? "SERVING" : "NOT_SERVING";
  }
}
