import { type HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { beforeEach, describe, expect, test } from "vitest";
import type { HeaderField } from "../../../src/http2/header-field.ts";
import type { Caller } from "../../../src/identity/caller.ts";
import { BuildTracer } from "../../../src/traces/build-tracer.ts";
import type { GatedPlacer } from "../../support/gated-placer.ts";
import {
  gatedRig,
  probe,
  QUEUE_FULL,
  RoutingRig,
  type RoutingRigOptions,
  type ScriptedCall,
  ScriptedClient,
  settled,
  solve,
} from "../routing/routing-rig.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CLIENT_SPAN = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE}-${CLIENT_SPAN}-01`;
const KEY = "github.com/acme/app";
const RPC = { "rpc.system": "grpc", "rpc.service": "moby.buildkit.v1.Control", "rpc.method": "Solve" };

let exporter: InMemorySpanExporter;
let rootRatio: number;

beforeEach(() => {
  exporter = new InMemorySpanExporter();
  rootRatio = 1;
});

/** A rig's options, by which its builds are traced. `rig` may be made later. */
function traced(rig: () => RoutingRig): RoutingRigOptions {
  const provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(rootRatio) }),
  });
  const pool = {
    name: "amd64",
    replicas: () =>
      rig().replicas.map((id) => ({
        id,
        address: { t: "tcp", host: `${id}.example`, port: 1_234 } as const,
        state: { t: "ready" },
        runningBuilds: rig().load.get(id) ?? 0,
      })),
  };
  // The rig's clock is made with it.
  const clock = {
    nowMs: () => rig().clock.nowMs(),
    wallTime: () => new Date(1_000_000 + rig().clock.nowMs()),
    after: () => () => {},
  };
  const tracer = new BuildTracer(provider.getTracer("test"), clock, pool);
  return { observeBuild: (call, request) => tracer.observe(call, request) };
}

function tracedRig(replicas: readonly string[] = ["a"]): RoutingRig {
  const rig: RoutingRig = new RoutingRig(
    replicas,
    traced(() => rig),
  );
  return rig;
}

function tracedGate(replicas: readonly string[] = ["a"]): { rig: RoutingRig; gate: GatedPlacer } {
  const gated: { rig: RoutingRig; gate: GatedPlacer } = gatedRig(
    replicas,
    traced(() => gated.rig),
  );
  return gated;
}

function header(name: string, value: string): HeaderField {
  return { name, value, isSensitive: false };
}

/** A Solve that comes with these headers, and whose body comes `bodyMs` later. */
function openSolve(
  rig: RoutingRig,
  {
    parent = SAMPLED,
    more = [] as readonly HeaderField[],
    bodyMs = 0,
    caller = {} as Caller,
    request = solve("r"),
  } = {},
): ScriptedCall {
  const call = rig.call(`solve ${request.buildRef}`, "solve", new ScriptedClient("10.0.0.1", caller));
  call.fields = [...(parent === "" ? [] : [header("traceparent", parent)]), ...more];
  call.sentFields = call.fields;
  rig.clock.advance(bodyMs);
  rig.groups.openSolve(call, request);
  return call;
}

function end(call: ScriptedCall, status = 0, saidBy: "client" | "gateway" | "replica" = "replica", message = ""): void {
  call.ending = { status, saidBy, message };
  call.outcome ??= status === 0 ? "succeeded" : "failed";
  call.end();
}

const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
const span = (name: string): ReadableSpan => spans().find((one) => one.name === name)!;
const server = (): ReadableSpan => spans().find(({ kind }) => kind === SpanKind.SERVER)!;
const names = (): string[] => spans().map(({ name }) => name.replace(/^.*\//, ""));
const ms = ([seconds, nanos]: HrTime): number => seconds * 1_000 + nanos / 1e6 - 1_000_000;
/** From when to when, in milliseconds of the rig's clock. */
const times = ({ startTime, endTime }: ReadableSpan): number[] => [ms(startTime), ms(endTime)];

describe("a build that need not wait", () => {
  test("has a span of its Solve below its client's, and of holding, placing and running it below that", async () => {
    const rig = tracedRig();
    const call = openSolve(rig, { bodyMs: 20 });
    await settled();
    rig.clock.advance(500);
    end(call);
    expect(names()).toEqual(["hold", "placement", "upstream", "Solve"]);
    expect(server().name).toBe("moby.buildkit.v1.Control/Solve");
    expect(server().parentSpanContext).toMatchObject({ traceId: TRACE, spanId: CLIENT_SPAN, isRemote: true });
    for (const child of spans().filter((one) => one !== server())) {
      expect(child.spanContext().traceId).toBe(TRACE);
      expect(child.parentSpanContext?.spanId).toBe(server().spanContext().spanId);
    }
    expect(times(server())).toEqual([0, 520]);
    expect(times(span("hold"))).toEqual([0, 20]);
    expect(times(span("placement"))).toEqual([20, 20]);
    expect(times(span("upstream"))).toEqual([20, 520]);
  });

  test("says what it is, who builds, where and why there", async () => {
    const rig = tracedRig(["a", "b"]);
    rig.load.set("b", 3);
    const caller = { repository: KEY, runId: "7", certificateNames: ["cn:ci"] };
    end(openSolve(rig, { caller, request: solve("keyless", { attrs: new Map(), buildSession: "" }) }));
    await settled();
    exporter.reset();
    const call = openSolve(rig, { caller });
    await settled();
    end(call);
    const replica = call.replicaId;
    expect(server().attributes).toEqual({
      ...RPC,
      "rpc.grpc.status_code": 0,
      "client.address": "10.0.0.1",
      "bkgw.build_ref": "r",
      "bkgw.pool": "amd64",
      "bkgw.caller.repository": KEY,
      "bkgw.caller.run_id": "7",
      "bkgw.caller.certificate": "cn:ci",
      "bkgw.key": KEY,
      "bkgw.replica": replica,
      "bkgw.reason": "preferred",
      "bkgw.result": "succeeded",
      "bkgw.waited_ms": 0,
    });
    expect(span("placement").attributes).toEqual({
      "bkgw.replica": replica,
      "bkgw.reason": "preferred",
      "bkgw.key": KEY,
      "bkgw.considered": ["a: ready, 0 builds", "b: ready, 3 builds"],
    });
    expect(span("upstream")).toMatchObject({ kind: SpanKind.CLIENT });
    expect(span("upstream").attributes).toEqual({
      ...RPC,
      "rpc.grpc.status_code": 0,
      "bkgw.replica": replica,
      "server.address": `${replica}.example`,
      "server.port": 1_234,
      "network.transport": "tcp",
    });
  });

  test("has its replica's span below the one of running it, and the client's other headers with it", async () => {
    const rig = tracedRig();
    const state = header("tracestate", "congo=t61rcWkgMzE");
    const call = openSolve(rig, { more: [state, header("x-own", "1")] });
    await settled();
    end(call);
    expect(call.sentFields).toEqual([
      state,
      header("x-own", "1"),
      header("traceparent", `00-${TRACE}-${span("upstream").spanContext().spanId}-01`),
    ]);
    expect(server().spanContext().traceState?.serialize()).toBe("congo=t61rcWkgMzE");
  });
});

describe("a build that waits", () => {
  test("has a span of the queue, as long as the wait, with what it was told meanwhile", async () => {
    const { rig, gate } = tracedGate();
    const call = openSolve(rig);
    await settled();
    rig.clock.advance(100);
    gate.tell({ position: 2, length: 2, cause: "all 3 replicas are full (4 builds each)" });
    rig.clock.advance(4_900);
    gate.tell({ position: 1, length: 1, cause: "all 3 replicas are full (4 builds each)" });
    rig.clock.advance(5_000);
    gate.open();
    await settled();
    rig.clock.advance(1_000);
    end(call);
    expect(names()).toEqual(["hold", "queue", "placement", "upstream", "Solve"]);
    expect(times(span("queue"))).toEqual([0, 10_000]);
    expect(times(span("upstream"))).toEqual([10_000, 11_000]);
    const cause = "all 3 replicas are full (4 builds each)";
    expect(span("queue").attributes).toEqual({ "bkgw.wait.cause": cause });
    expect(span("queue").events.map(({ name, time, attributes }) => [name, ms(time), attributes])).toEqual([
      ["waiting", 100, { "bkgw.wait.position": 2, "bkgw.wait.length": 2, "bkgw.wait.cause": cause }],
      ["waiting", 5_000, { "bkgw.wait.position": 1, "bkgw.wait.length": 1, "bkgw.wait.cause": cause }],
    ]);
    expect(server().attributes).toMatchObject({ "bkgw.waited_ms": 10_000 });
  });

  test("with others that came before has its own span of the queue, from when it came", async () => {
    const { rig, gate } = tracedGate();
    const client = new ScriptedClient();
    const open = (buildRef: string) => {
      const call = rig.call(buildRef, "solve", client);
      rig.groups.openSolve(call, solve(buildRef));
      return call;
    };
    const calls = [open("one")];
    await settled();
    gate.tell({ position: 1, length: 1, cause: "full" });
    rig.clock.advance(1_000);
    calls.push(open("two"));
    rig.clock.advance(500);
    gate.open();
    await settled();
    for (const call of calls) end(call);
    expect(
      spans()
        .filter(({ name }) => name === "queue")
        .map(times),
    ).toEqual([
      [0, 1_500],
      [1_000, 1_500],
    ]);
  });

  test("and is refused ends there, with the gateway's words", async () => {
    const { rig, gate } = tracedGate();
    const call = openSolve(rig);
    await settled();
    gate.tell({ position: 1, length: 1, cause: "full" });
    call.ending = { status: 8, saidBy: "gateway", message: QUEUE_FULL.message };
    gate.open(QUEUE_FULL);
    await settled();
    expect(names()).toEqual(["hold", "queue", "Solve"]);
    expect(span("queue").status).toEqual({ code: SpanStatusCode.ERROR, message: QUEUE_FULL.message });
    expect(server().status).toEqual({ code: SpanStatusCode.UNSET });
    expect(server().attributes).toMatchObject({ "bkgw.result": "refused", "rpc.grpc.status_code": 8 });
    expect(server().attributes).not.toHaveProperty("bkgw.replica");
  });

  test("and is cancelled ends there, without an error", async () => {
    const { rig, gate } = tracedGate();
    const call = openSolve(rig);
    await settled();
    gate.tell({ position: 1, length: 1, cause: "full" });
    call.outcome = "cancelled";
    end(call, 1, "client");
    expect(names()).toEqual(["hold", "queue", "Solve"]);
    expect(spans().map(({ status }) => status.code)).toEqual([0, 0, 0]);
    gate.open();
    await settled();
    expect(spans()).toHaveLength(3);
  });
});

test("a replica that cannot be reached has a placement of its own, and the next one follows", async () => {
  const rig = tracedRig(["a", "b"]);
  const client = new ScriptedClient();
  client.cannotReach("a");
  client.cannotReach("b");
  const call = rig.call("solve", "solve", client);
  rig.groups.openSolve(call, solve("r"));
  await settled();
  rig.addReplica("c");
  await settled();
  end(call);
  const placements = spans().filter(({ name }) => name === "placement");
  expect(placements.map(({ attributes }) => attributes["bkgw.given_up"])).toEqual([true, true, undefined]);
  expect(placements.at(-1)!.attributes).toMatchObject({ "bkgw.replica": "c" });
  expect(names().at(-2)).toBe("upstream");
});

test("the targets of a bake have a trace each: those that follow say so", async () => {
  const rig = tracedRig();
  const client = new ScriptedClient();
  const calls = ["one", "two"].map((buildRef) => {
    const call = rig.call(buildRef, "solve", client);
    rig.groups.openSolve(call, solve(buildRef));
    return call;
  });
  await settled();
  const late = rig.call("three", "solve", client);
  rig.groups.openSolve(late, solve("three"));
  for (const call of [...calls, late]) end(call);
  const placements = spans().filter(({ name }) => name === "placement");
  expect(placements.map(({ attributes }) => attributes["bkgw.reason"])).toEqual(["preferred", "followed", "followed"]);
  expect(new Set(spans().map((one) => one.spanContext().traceId)).size).toBe(3);
  expect(spans().filter(({ kind }) => kind === SpanKind.SERVER)).toHaveLength(3);
});

test("a build that fails is an error of both spans, and its words are nowhere", async () => {
  const rig = tracedRig();
  const call = openSolve(rig);
  await settled();
  end(call, 2, "replica", "process /bin/sh -c deploy --token secret did not complete");
  for (const one of [server(), span("upstream")]) {
    expect(one.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(one.attributes["rpc.grpc.status_code"]).toBe(2);
  }
  expect(JSON.stringify(spans().map(({ attributes, events, status }) => [attributes, events, status]))).not.toContain(
    "secret",
  );
});

describe("whether a build is followed", () => {
  test("says its client, where it has a trace", async () => {
    rootRatio = 0;
    const rig = tracedRig();
    const sampled = openSolve(rig);
    await settled();
    end(sampled);
    expect(spans()).toHaveLength(4);
    exporter.reset();
    rootRatio = 1;
    const other = tracedRig();
    const call = openSolve(other, { parent: `00-${TRACE}-${CLIENT_SPAN}-00` });
    await settled();
    end(call);
    expect(spans()).toEqual([]);
    expect(call.sentFields).toBe(call.fields);
  });

  test.each([
    ["none", ""],
    ["one that cannot be read", "00-0-0-00"],
  ])("says the gateway where it has %s", async (_what, parent) => {
    const rig = tracedRig();
    const call = openSolve(rig, { parent, more: [header("tracestate", "a=b")] });
    await settled();
    end(call);
    expect(server().parentSpanContext).toBeUndefined();
    const { traceId, spanId } = span("upstream").spanContext();
    expect(call.sentFields).toEqual([header("traceparent", `00-${traceId}-${spanId}-01`)]);
    exporter.reset();
    rootRatio = 0;
    const silent = tracedRig();
    const unsampled = openSolve(silent, { parent });
    await settled();
    end(unsampled);
    expect(spans()).toEqual([]);
    expect(unsampled.sentFields).toBe(unsampled.fields);
  });

  test("never says what is no build", async () => {
    const rig = tracedRig();
    const call = openSolve(rig, { request: probe("probe") });
    await settled();
    end(call);
    expect(spans()).toEqual([]);
  });
});

test("a trace state that is too long or cannot be read is left out", async () => {
  for (const state of ["x".repeat(600), "=;=,,"]) {
    const rig = tracedRig();
    const call = openSolve(rig, { more: [header("tracestate", state)] });
    await settled();
    end(call);
    expect(server().spanContext().traceState?.serialize() ?? "").toBe("");
    exporter.reset();
  }
});
