import { once } from "node:events";
import { Client, type ClientReadableStream, credentials, type MethodDefinition } from "@grpc/grpc-js";
import {
  type BuildHistoryEvent,
  type BuildHistoryRequest,
  contentRpcs,
  controlRpcs,
  type UpdateBuildHistoryRequest,
  type UsageRecord,
} from "../../../src/buildkit/wire-contracts.ts";

const DEADLINE_MS = 60_000;

/** A client of one address that speaks as BuildKit's own do: a replica's, or a gateway's. Close it. */
export class DaemonClient {
  readonly #client: Client;

  /** `address`: `tcp://host:port`. */
  constructor(address: string) {
    this.#client = new Client(address.replace(/^tcp:\/\//, ""), credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": 16 * 2 ** 20,
    });
  }

  /** What its caches hold. */
  async diskUsage(): Promise<readonly UsageRecord[]> {
    return (await this.#call(controlRpcs.DiskUsage, {})).record;
  }

  /** Events of its history that are listed, in the order they come. */
  async listHistory(request: BuildHistoryRequest = {}): Promise<BuildHistoryEvent[]> {
    const events: BuildHistoryEvent[] = [];
    for await (const event of this.#stream(controlRpcs.ListenBuildHistory, { ...request, EarlyExit: true })) {
      events.push(event as BuildHistoryEvent);
    }
    return events;
  }

  /** Hear of its history until the client is closed. Resolves once it has been taken up. */
  async followHistory(onEvent: (event: BuildHistoryEvent) => void, request: BuildHistoryRequest = {}): Promise<void> {
    const { ListenBuildHistory } = controlRpcs;
    const events = this.#open(ListenBuildHistory, request, {});
    events.on("error", () => {});
    events.on("data", onEvent);
    await once(events, "metadata");
  }

  async updateHistory(request: UpdateBuildHistoryRequest): Promise<void> {
    await this.#call(controlRpcs.UpdateBuildHistory, request);
  }

  /** All bytes of some content. */
  async readContent(digest: string): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const { data } of this.#stream(contentRpcs.Read, { digest })) chunks.push(data);
    return Buffer.concat(chunks);
  }

  close(): void {
    this.#client.close();
  }

  #call<Request, Response>(rpc: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = rpc;
      const deadline = Date.now() + DEADLINE_MS;
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline },
        (error, value) => (error ? reject(error) : resolve(value!)),
      );
    });
  }

  #stream<Request, Response>(rpc: MethodDefinition<Request, Response>, request: Request): AsyncIterable<Response> {
    return this.#open(rpc, request, { deadline: Date.now() + DEADLINE_MS });
  }

  #open<Request, Response>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    request: Request,
    options: { readonly deadline?: number },
  ): ClientReadableStream<Response> {
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
  }
}
