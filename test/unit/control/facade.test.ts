import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import type { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { controlRpcs, healthRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { FACADE_PATHS } from "../../../src/control/facade.ts";
import { connectionPair } from "../../support/duplex-pair.ts";
import { startReplica as start } from "../../support/fleet-under-test.ts";
import type { GrpcReplica } from "../../support/grpc-replica.ts";
import { FacadeRig, openCall as open, type Rpc, resultOf } from "./facade-rig.ts";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

const { NGHTTP2_CANCEL } = constants;

function startReplica(workerId: string): Promise<GrpcReplica> {
  return start({ workerId });
}

/** A façade that speaks for these replicas. */
function startFacade(replicas: Readonly<Record<string, GrpcReplica>>) {
  const rig = new FacadeRig(replicas);
  const { facade, lab, listeners } = rig;
  return { rig, facade, lab, listeners, fleet: lab.fleet, setAccepting: rig.setAccepting.bind(rig) };
}

/** Make a unary call: the bytes of the answer, and the status with its message. */
async function call<Request>(client: ClientHttp2Session, rpc: Rpc<Request>, request: Request) {
  const { messages, status, message } = await resultOf(open(client, rpc, request));
  return { bytes: messages[0] ?? Buffer.alloc(0), status, message };
}

/** The next health status on a Watch. */
async function nextStatus(stream: ClientHttp2Stream): Promise<string> {
  const [chunk] = (await once(stream, "data")) as [Buffer];
  return healthRpcs.Watch.responseDeserialize(chunk.subarray(5)).status;
}

describe("Info and ListWorkers", () => {
  test("Info is the representative replica's own bytes", async () => {
    const { lab, fleet, rig } = startFacade({ b: await startReplica("of b"), a: await startReplica("of a") });
    await Promise.all([lab.reaches("a", "ready"), lab.reaches("b", "ready")]);
    const { client } = rig.join();
    const info = await call(client, controlRpcs.Info, {});
    expect(info).toMatchObject({ status: 0, bytes: fleet.facts("a")!.infoBytes });
    fleet.reportFailure("a", "lost");
    expect((await call(client, controlRpcs.Info, {})).status).toBe(0);
  });

  test("still come when no replica is left that could be asked", async () => {
    const { fleet, rig } = startFacade({ a: await startReplica("of a") });
    await fleet.ready();
    fleet.reportFailure("a", "lost");
    const workers = await call(rig.join().client, controlRpcs.ListWorkers, {});
    expect(
      controlRpcs.ListWorkers.responseDeserialize(workers.bytes).record[0]?.Labels["buildkit-gateway.replicas"],
    ).toBe("0");
  });

  test("say what every BuildKit can do while no replica has ever answered", async () => {
    const replica = await startReplica("w");
    replica.kill();
    const { lab, rig } = startFacade({ a: replica });
    await lab.reaches("a", "ejected");
    const { client } = rig.join();
    const info = await call(client, controlRpcs.Info, {});
    expect(controlRpcs.Info.responseDeserialize(info.bytes).buildkitVersion?.version).toMatch(/^v0\.\d+\.\d+$/);
    const workers = await call(client, controlRpcs.ListWorkers, {});
    const { record } = controlRpcs.ListWorkers.responseDeserialize(workers.bytes);
    expect(record).toMatchObject([
      { ID: expect.stringMatching(/^buildkit-gateway-[0-9a-f]{16}$/), platforms: [{ OS: "linux" }] },
    ]);
  });

  test("wait for the first answer of a replica that is being asked", async () => {
    const { rig } = startFacade({ a: await startReplica("of a") });
    const { client } = rig.join();
    const workers = await call(client, controlRpcs.ListWorkers, {});
    expect(
      controlRpcs.ListWorkers.responseDeserialize(workers.bytes).record[0]?.Labels["buildkit-gateway.replicas"],
    ).toBe("1");
  });

  test("a filter is the replica's to read, live", async () => {
    const { fleet, rig } = startFacade({ a: await startReplica("of a") });
    await fleet.ready();
    const { client } = rig.join();
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
    const { rig } = startFacade({});
    const { client } = rig.join();
    const answer = await call(client, controlRpcs.ListWorkers, { filter: ["x".repeat(2_000)] });
    expect(answer.status).toBe(8);
  });
});

test("the façade serves these paths and no other", async () => {
  expect([...FACADE_PATHS].sort()).toEqual([
    "/containerd.services.content.v1.Content/List",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/moby.buildkit.v1.Control/DiskUsage",
    "/moby.buildkit.v1.Control/Info",
    "/moby.buildkit.v1.Control/ListWorkers",
    "/moby.buildkit.v1.Control/ListenBuildHistory",
    "/moby.buildkit.v1.Control/Prune",
    "/moby.buildkit.v1.Control/UpdateBuildHistory",
  ]);
  const { client } = startFacade({}).rig.join();
  const other = { ...controlRpcs.Info, path: "/moby.buildkit.v1.Control/Solve" };
  expect(await call(client, other, {})).toMatchObject({ status: 12 });
});

describe("health", () => {
  test("is serving while builds are taken", async () => {
    const { setAccepting, rig } = startFacade({});
    const { client } = rig.join();
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
    const { client } = startFacade({}).rig.join();
    expect(await call(client, healthRpcs.Check, { service: "x" })).toMatchObject({
      status: 5,
      message: 'unknown service "x"',
    });
  });

  test("is watched: each change is told once, until the client resets the stream", async () => {
    const { setAccepting, listeners, rig } = startFacade({});
    const watch = open(rig.join().client, healthRpcs.Watch, { service: "" });
    expect(await nextStatus(watch)).toBe("SERVING");
    setAccepting(true);
    setAccepting(false);
    expect(await nextStatus(watch)).toBe("NOT_SERVING");
    setAccepting(true);
    expect(await nextStatus(watch)).toBe("SERVING");
    watch.close(NGHTTP2_CANCEL);
    await expect.poll(() => listeners.size, SOON).toBe(0);
  });

  test("of an unknown service is watched as such", async () => {
    const { client } = startFacade({}).rig.join();
    expect(await nextStatus(open(client, healthRpcs.Watch, { service: "x" }))).toBe("SERVICE_UNKNOWN");
  });
});

describe("a connection", () => {
  test.each([
    ["destroyed", (end: Duplex) => end.destroy()],
    ["ended", (end: Duplex) => end.end()],
  ])("that is %s at the data plane's end leaves nothing behind", async (_name, close) => {
    const { listeners, rig } = startFacade({});
    const { client, ours, theirs } = rig.join();
    await nextStatus(open(client, healthRpcs.Watch, { service: "" }));
    expect(listeners.size).toBe(1);
    const closed = once(theirs, "close");
    close(ours);
    await closed;
    await expect.poll(() => listeners.size, SOON).toBe(0);
  });

  test("that speaks no HTTP/2 is closed and harms no other", async () => {
    const { facade, rig } = startFacade({});
    const { client } = rig.join();
    const [ours, theirs] = connectionPair();
    facade.inject(theirs);
    ours.on("error", () => {}).resume();
    ours.write("GET / HTTP/1.1\r\n\r\n");
    await once(theirs, "close");
    expect(await call(client, healthRpcs.Check, { service: "" })).toMatchObject({ status: 0 });
  });

  test("is closed when the façade stops", async () => {
    const { facade, listeners, rig } = startFacade({});
    const { client, theirs } = rig.join();
    await nextStatus(open(client, healthRpcs.Watch, { service: "" }));
    await facade.stop();
    expect(theirs.destroyed).toBe(true);
    await expect.poll(() => listeners.size, SOON).toBe(0);
  });
});
