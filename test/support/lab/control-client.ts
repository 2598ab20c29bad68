import { type ChannelCredentials, Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** What one BuildKit daemon says about itself, asked directly and never through a gateway. */
export interface ControlClient {
  /** An id of the daemon's worker, different for every replica of a lab and kept over a restart. */
  workerUuid(): Promise<string>;
  /** Refs of all builds in the daemon's history, running ones included. */
  buildRefs(): Promise<string[]>;
  /** Refs of the builds that run now. */
  activeRefs(): Promise<string[]>;
}

interface WorkerRecord {
  readonly ID: string;
  readonly Labels: readonly { readonly key: string; readonly value: string }[];
}

// Field numbers: moby/buildkit api/services/control/control.proto, api/types/worker.proto.
const PROTO = fromJSON(
  {
    nested: {
      ListWorkersRequest: { fields: { filter: { type: "string", id: 1, rule: "repeated" } } },
      // A map on the wire is a list of such entries.
      Label: { fields: { key: { type: "string", id: 1 }, value: { type: "string", id: 2 } } },
      WorkerRecord: { fields: { ID: { type: "string", id: 1 }, Labels: { type: "Label", id: 2, rule: "repeated" } } },
      ListWorkersResponse: { fields: { record: { type: "WorkerRecord", id: 1, rule: "repeated" } } },
      BuildHistoryRequest: { fields: { ActiveOnly: { type: "bool", id: 1 }, EarlyExit: { type: "bool", id: 3 } } },
      BuildHistoryRecord: { fields: { Ref: { type: "string", id: 1 } } },
      BuildHistoryEvent: { fields: { record: { type: "BuildHistoryRecord", id: 2 } } },
      Control: {
        methods: {
          ListWorkers: { requestType: "ListWorkersRequest", responseType: "ListWorkersResponse", comment: "" },
          ListenBuildHistory: {
            requestType: "BuildHistoryRequest",
            responseType: "BuildHistoryEvent",
            responseStream: true,
            comment: "",
          },
        },
      },
    },
  },
  { keepCase: true, defaults: true },
);

const METHODS = PROTO.Control as unknown as Record<
  "ListWorkers" | "ListenBuildHistory",
  {
    readonly requestSerialize: (value: object) => Buffer;
    readonly responseDeserialize: (bytes: Buffer) => object;
  }
>;

const DEADLINE_MS = 10_000;

/** Ask the daemon at `authority` (`host:port`); one connection per question, so a restart needs no care. */
export function controlClient(authority: string, channelCredentials?: ChannelCredentials): ControlClient {
  const connect = () => new Client(authority, channelCredentials ?? credentials.createInsecure());
  const listRefs = async (request: { ActiveOnly?: boolean }) => {
    const events = await callStream(connect(), { ...request, EarlyExit: true });
    return [...new Set(events.map(({ record }) => record?.Ref).filter((ref) => ref !== undefined))];
  };
  return {
    async workerUuid() {
      const record = (await listWorkers(connect()))[0];
      if (!record) throw new Error(`${authority} lists no worker`);
      return record.Labels.find(({ key }) => key === "containerd.uuid")?.value ?? record.ID;
    },
    buildRefs: () => listRefs({}),
    activeRefs: () => listRefs({ ActiveOnly: true }),
  };
}

function listWorkers(client: Client): Promise<readonly WorkerRecord[]> {
  const { requestSerialize, responseDeserialize } = METHODS.ListWorkers;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/moby.buildkit.v1.Control/ListWorkers",
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => { record: WorkerRecord[] },
      {},
      { deadline: Date.now() + DEADLINE_MS },
      (error: ServiceError | null, response) => {
        client.close();
        if (error) reject(error);
        else resolve(response!.record);
      },
    );
  });
}

function callStream(client: Client, request: object): Promise<{ record: { Ref: string } | null }[]> {
  const { requestSerialize, responseDeserialize } = METHODS.ListenBuildHistory;
  return new Promise((resolve, reject) => {
    const events: { record: { Ref: string } | null }[] = [];
    client
      .makeServerStreamRequest(
        "/moby.buildkit.v1.Control/ListenBuildHistory",
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => { record: { Ref: string } | null },
        request,
        { deadline: Date.now() + DEADLINE_MS },
      )
      .on("data", (event) => events.push(event))
      .on("error", (error) => {
        client.close();
        reject(error);
      })
      .on("end", () => {
        client.close();
        resolve(events);
      });
  });
}
