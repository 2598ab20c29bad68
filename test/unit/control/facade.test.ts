import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Duplex } from "node:stream";
import type { MethodDefinition } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { silentLog } from "../../../src/base/log.ts";
import { controlRpcs, healthRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { FACADE_PATHS, Facade } from "../../../src/control/facade.ts";
import { connectionPair } from "../../support/duplex-pair.ts";
import { endpoint, FleetUnderTest } from "../../support/fleet-under-test.ts";
import { GrpcReplica } from "../../support/grpc-replica.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";

const { HTTP2_HEADER_PATH, NGHTTP2_CANCEL } = constants;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startReplica(workerId: string): Promise<GrpcReplica> {
  const replica = await GrpcReplica.start({ workerId });
  cleanups.push(() => replica.kill());
  return replica;
}

/** A façade that speaks for these replicas. */
function startFacade(replicas: Readonly<Record<string, GrpcReplica>>) {
  const lab = new FleetUnderTest(Object.entries(replicas).map(([id, replica]) => endpoint(id, replica)));
  cleanups.push(() => lab.fleet.stop());
  const listeners = new Set<() => void>();
  const acceptance = { isAccepting: true };
  const facade = new Facade({
    fleet: lab.fleet,
    log: silentLog(),
    acceptance: {
      acceptsBuilds: () => acceptance.isAccepting,
      onChange: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    maxRequestBytes: 1_024,
  });
  cleanups.push(() => facade.stop());
  const setAccepting = (isAccepting: boolean) => {
    acceptance.isAccepting = isAccepting;
    for (const listener of listeners) listener();
  };
  return { ...lab, fleet: lab.fleet, lab, facade, listeners, setAccepting };
}

/** An in-process connection to the façade, as the data plane makes it. */
function join(facade: Facade): { client: ClientHttp2Session; ours: Duplex; theirs: Duplex } {
  const [ours, theirs] = connectionPair();
  facade.inject(theirs);
  const client = connect("http://facade", { createConnection: () => ours });
  client.on("error", () => {});
  cleanups.push(() => client.destroy());
  return { client, ours, theirs };
}

type Rpc<Request> = Pick<MethodDefinition<Request, unknown>, "path" | "requestSerialize">;

function open<Request>(client: ClientHttp2Session, rpc: Rpc<Request>, request: Request): ClientHttp2Stream {
  const stream = client.request({
    ":method": "POST",
    [HTTP2_HEADER_PATH]: rpc.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(grpcMessage(rpc.requestSerialize(request)));
  return stream;
}

/** Make a unary call: the bytes of the answer, and the status with its message. */
async function call<Request>(client: ClientHttp2Session, rpc: Rpc<Request>, request: Request) {
  const stream = open(client, rpc, request);
  const chunks: Buffer[] = [];
  let end: Record<string, unknown> = {};
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("response", (headers) => {
    end = { ...end, ...headers };
  });
  stream.on("trailers", (trailers) => {
    end = { ...end, ...trailers };
  });
  await once(stream, "close");
  return {
    bytes: Buffer.concat(chunks).subarray(5),
    status: Number(end["grpc-status"]),
    message: decodeURIComponent(String(end["grpc-message"] ?? "")),
  };
}

/** The next health status on a Watch. */
async function nextStatus(stream: ClientHttp2Stream): Promise<string> {
  const [chunk] = (await once(stream, "data")) as [Buffer];
  return healthRpcs.Watch.responseDeserialize(chunk.subarray(5)).status;
}

describe("Info and ListWorkers", () => {
  test("are the representative replica's own bytes", async () => {
    const { facade, lab, fleet } = startFacade({ b: await startReplica("of b"), a: await startReplica("of a") });
    await Promise.all([lab.reaches("a", "ready"), lab.reaches("b", "ready")]);
    const { client } = join(facade);
    const info = await call(client, controlRpcs.Info, {});
    expect(info).toMatchObject({ status: 0, bytes: fleet.facts("a")!.infoBytes });
    const workers = await call(client, controlRpcs.ListWorkers, {});
    expect(workers).toMatchObject({ status: 0, bytes: fleet.facts("a")!.workersBytes });
    fleet.reportFailure("a", "lost");
    const later = await call(client, controlRpcs.ListWorkers, {});
    expect(controlRpcs.ListWorkers.responseDeserialize(later.bytes).record[0]?.ID).toBe("of b");
  });

  test("still come when no replica is left that could be asked", async () => {
    const { facade, fleet } = startFacade({ a: await startReplica("of a") });
    await fleet.ready();
    fleet.reportFailure("a", "lost");
    const workers = await call(join(facade).client, controlRpcs.ListWorkers, {});
    expect(controlRpcs.ListWorkers.responseDeserialize(workers.bytes).record[0]?.ID).toBe("of a");
  });

  test("say what every BuildKit can do while no replica has ever answered", async () => {
    const replica = await startReplica("w");
    replica.kill();
    const { facade, lab } = startFacade({ a: replica });
    await lab.reaches("a", "ejected");
    const { client } = join(facade);
    const info = await call(client, controlRpcs.Info, {});
    expect(controlRpcs.Info.responseDeserialize(info.bytes).buildkitVersion?.version).toMatch(/^v0\.\d+\.\d+$/);
    const workers = await call(client, controlRpcs.ListWorkers, {});
    const { record } = controlRpcs.ListWorkers.responseDeserialize(workers.bytes);
    expect(record).toMatchObject([{ ID: "buildkit-gateway", platforms: [{ OS: "linux" }] }]);
  });

  test("wait for the first answer of a replica that is being asked", async () => {
    const { facade } = startFacade({ a: await startReplica("of a") });
    const { client } = join(facade);
    const workers = await call(client, controlRpcs.ListWorkers, {});
    expect(controlRpcs.ListWorkers.responseDeserialize(workers.bytes).record[0]?.ID).toBe("of a");
  });

  test("a filter is the replica's to read, live", async () => {
    const { facade, fleet } = startFacade({ a: await startReplica("of a") });
    await fleet.ready();
    const { client } = join(facade);
    const filtered = await call(client, controlRpcs.ListWorkers, { filter: ["id==x"] });
    const { record } = controlRpcs.ListWorkers.responseDeserialize(filtered.bytes);
    expect(record[0]?.ID).toBe("filtered by id==x");
    fleet.reportFailure("a", "lost");
    expect(await call(client, controlRpcs.ListWorkers, { filter: ["x"] })).toMatchObject({
      status: new GatewayError("no_replica", "").status,
      message: "no replica can be asked: a: ejected (lost)",
    });
  });

  test("a request past the bound is refused", async () => {
    const { facade } = startFacade({});
    const { client } = join(facade);
    const answer = await call(client, controlRpcs.ListWorkers, { filter: ["x".repeat(2_000)] });
    expect(answer.status).toBe(8);
  });
});

test("the façade serves these paths and no other", async () => {
  expect([...FACADE_PATHS].sort()).toEqual([
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/moby.buildkit.v1.Control/Info",
    "/moby.buildkit.v1.Control/ListWorkers",
  ]);
  const { client } = join(startFacade({}).facade);
  const other = { ...controlRpcs.Info, path: "/moby.buildkit.v1.Control/Solve" };
  expect(await call(client, other, {})).toMatchObject({ status: 12 });
});

describe("health", () => {
  test("is serving while builds are taken", async () => {
    const { facade, setAccepting } = startFacade({});
    const { client } = join(facade);
    const check = async (service: string) => {
      const { bytes } = await call(client, healthRpcs.Check, { service });
      return healthRpcs.Check.responseDeserialize(bytes).status;
    };
    expect(await check("")).toBe("SERVING");
    expect(await check("moby.buildkit.v1.Control")).toBe("SERVING");
    setAccepting(false);
    expect(await check("")).toBe("NOT_SERVING");
  });

  test("of an unknown service is not found", async () => {
    const { client } = join(startFacade({}).facade);
    expect(await call(client, healthRpcs.Check, { service: "x" })).toMatchObject({
      status: 5,
      message: 'unknown service "x"',
    });
  });

  test("is watched: each change is told once, until the client resets the stream", async () => {
    const { facade, setAccepting, listeners } = startFacade({});
    const watch = open(join(facade).client, healthRpcs.Watch, { service: "" });
    expect(await nextStatus(watch)).toBe("SERVING");
    setAccepting(true);
    setAccepting(false);
    expect(await nextStatus(watch)).toBe("NOT_SERVING");
    setAccepting(true);
    expect(await nextStatus(watch)).toBe("SERVING");
    watch.close(NGHTTP2_CANCEL);
    await expect.poll(() => listeners.size).toBe(0);
  });

  test("of an unknown service is watched as such", async () => {
    const { client } = join(startFacade({}).facade);
    expect(await nextStatus(open(client, healthRpcs.Watch, { service: "x" }))).toBe("SERVICE_UNKNOWN");
  });
});

describe("a connection", () => {
  test.each([
    ["destroyed", (end: Duplex) => end.destroy()],
    ["ended", (end: Duplex) => end.end()],
  ])("that is %s at the data plane's end leaves nothing behind", async (_name, close) => {
    const { facade, listeners } = startFacade({});
    const { client, ours, theirs } = join(facade);
    await nextStatus(open(client, healthRpcs.Watch, { service: "" }));
    expect(listeners.size).toBe(1);
    const closed = once(theirs, "close");
    close(ours);
    await closed;
    await expect.poll(() => listeners.size).toBe(0);
  });

  test("that speaks no HTTP/2 is closed and harms no other", async () => {
    const { facade } = startFacade({});
    const { client } = join(facade);
    const [ours, theirs] = connectionPair();
    facade.inject(theirs);
    ours.on("error", () => {}).resume();
    ours.write("GET / HTTP/1.1\r\n\r\n");
    await once(theirs, "close");
    expect(await call(client, healthRpcs.Check, { service: "" })).toMatchObject({ status: 0 });
  });

  test("is closed when the façade stops", async () => {
    const { facade, listeners } = startFacade({});
    const { client, theirs } = join(facade);
    await nextStatus(open(client, healthRpcs.Watch, { service: "" }));
    await facade.stop();
    expect(theirs.destroyed).toBe(true);
    await expect.poll(() => listeners.size).toBe(0);
  });
});
