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
  /** All builds in the daemon's history, running ones included, in the order in which it began them. */
  builds(): Promise<RecordedBuild[]>;
}

/** A build, as the history of the daemon that ran it has it. */
export interface RecordedBuild {
  readonly buildRef: string;
  /** By the daemon's clock, in milliseconds since 1970. */
  readonly createdAtMs: number;
  /** Absent while it runs. */
  readonly completedAtMs?: number;
  /** Options of its frontend: `vcs:source`, `build-arg:NAME`, … */
  readonly attrs: Readonly<Record<string, string>>;
}

interface Label {
  readonly key: string;
  readonly value: string;
}

interface WorkerRecord {
  readonly ID: string;
  readonly Labels: readonly Label[];
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
      Timestamp: { fields: { seconds: { type: "int64", id: 1 }, nanos: { type: "int32", id: 2 } } },
      BuildHistoryRecord: {
        fields: {
          Ref: { type: "string", id: 1 },
          FrontendAttrs: { type: "Label", id: 3, rule: "repeated" },
          CreatedAt: { type: "Timestamp", id: 6 },
          CompletedAt: { type: "Timestamp", id: 7 },
        },
      },
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
  { keepCase: true, defaults: true, longs: Number },
);

const METHODS = PROTO.Control as unknown as Record<
  "ListWorkers" | "ListenBuildHistory",
  {
    readonly requestSerialize: (value: object) => Buffer;
    readonly responseDeserialize: (bytes: Buffer) => object;
  }
>;

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

interface HistoryRecord {
  readonly Ref: string;
  readonly FrontendAttrs: readonly Label[];
  readonly CreatedAt: Timestamp;
  readonly CompletedAt: Timestamp | null;
}

interface HistoryEvent {
  readonly record: HistoryRecord | null;
}

const DEADLINE_MS = 10_000;

/** Ask the daemon at `authority` (`host:port`); one connection per question, so a restart needs no care. */
export function controlClient(authority: string, channelCredentials?: ChannelCredentials): ControlClient {
  const connect = () => new Client(authority, channelCredentials ?? credentials.createInsecure());
  const list = async (request: { ActiveOnly?: boolean }): Promise<HistoryRecord[]> => {
    const events = await callStream(connect(), { ...request, EarlyExit: true });
    const records = events.flatMap(({ record }) => (record ? [record] : []));
    // One that ends meanwhile is listed twice: running, then completed.
    return [...new Map(records.map((record) => [record.Ref, record])).values()];
  };
  const refsOf = (records: readonly HistoryRecord[]) => records.map(({ Ref }) => Ref);
  return {
    async workerUuid() {
      const record = (await listWorkers(connect()))[0];
      if (!record) throw new Error(`${authority} lists no worker`);
      return record.Labels.find(({ key }) => key === "containerd.uuid")?.value ?? record.ID;
    },
    buildRefs: async () => refsOf(await list({})),
    activeRefs: async () => refsOf(await list({ ActiveOnly: true })),
    builds: async () => (await list({})).map(recordedBuild).sort((a, b) => a.createdAtMs - b.createdAtMs),
  };
}

function recordedBuild({ Ref, FrontendAttrs, CreatedAt, CompletedAt }: HistoryRecord): RecordedBuild {
  return {
    buildRef: Ref,
    createdAtMs: milliseconds(CreatedAt),
    attrs: Object.fromEntries(FrontendAttrs.map(({ key, value }) => [key, value])),
    ...(CompletedAt && { completedAtMs: milliseconds(CompletedAt) }),
  };
}

function milliseconds({ seconds, nanos }: Timestamp): number {
  return seconds * 1_000 + nanos / 1_000_000;
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

function callStream(client: Client, request: object): Promise<HistoryEvent[]> {
  const { requestSerialize, responseDeserialize } = METHODS.ListenBuildHistory;
  return new Promise((resolve, reject) => {
    const events: HistoryEvent[] = [];
    client
      .makeServerStreamRequest(
        "/moby.buildkit.v1.Control/ListenBuildHistory",
        requestSerialize,
        responseDeserialize as (bytes: Buffer) => HistoryEvent,
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
