import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import { type CollectedSpan, LabCollector } from "../support/lab/collector.ts";
import { DaemonClient } from "../support/lab/daemon-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

/** A span of the daemon's, as it keeps it with a build's record. */
interface RecordedSpan {
  readonly Name: string;
  readonly SpanContext: { readonly TraceID: string };
  readonly Parent: { readonly SpanID: string };
}

/** Kind of a span (opentelemetry-proto, trace.proto). */
const SERVER = 2;

const SOLVE = "moby.buildkit.v1.Control/Solve";

await describeWithLab(
  "traces of builds",
  (lab) => {
    const gateways = new Gateways();
    let collector: LabCollector;
    let replica: LabReplica;
    let gateway: GatewayProcess;
    let folder: string;
    let client: DaemonClient;

    beforeAll(async () => {
      collector = await LabCollector.start();
      [replica] = (await lab().startReplicas(1)) as [LabReplica];
      gateway = await gateways.start({
        replicas: [replica],
        flags: ["--max-builds=1"],
        env: {
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          OTEL_RESOURCE_ATTRIBUTES: "k8s.pod.name=gateway-0",
        },
      });
      client = new DaemonClient(replica.address);
      folder = await makeBuildContext(
        { newFolder: () => lab().newFolder(), busybox: lab().tools.busybox },
        "RUN --network=none true\n",
      );
    });
    afterAll(async () => {
      client?.close();
      await gateways.kill();
      await collector?.close();
    });

    /** The spans above one, the nearest first. */
    function ancestors(span: CollectedSpan): CollectedSpan[] {
      const parent = collector.spans.find(({ spanId }) => spanId === span.parentSpanId);
      return parent ? [parent, ...ancestors(parent)] : [];
    }

    test.for(BUILDX_VERSIONS)(
      "are part of buildx's own, with the time that was spent waiting: buildx %s",
      async (version, { skip }) => {
        if (!lab().tools.buildx[version]) skip(`no buildx ${version} here`);
        const buildx = await lab().createBuilder({ version, address: gateway.address });
        const occupant = await RunningBuild.start({ lab: lab(), buildx, replicas: [replica] });
        const env = {
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
        };
        const building = buildx.mustRun(["build", "--output=type=cacheonly", folder], { env });
        const isWaiting = async () => (await gateway.load()).queued === 1;
        await pollUntil("the build to wait", isWaiting, { timeoutMs: 60_000 });
        await occupant.finish();
        await building;

        // Only buildx sends protobuf, and it has sent all when it ends.
        const root = collector.spans.findLast(({ parentSpanId, kind }) => parentSpanId === "" && kind === undefined)!;
        expect(root.name).toContain("build");
        const server = await collector.span(
          "the gateway's span of the build",
          ({ traceId, kind }) => traceId === root.traceId && kind === SERVER,
        );
        expect(server.name).toBe(SOLVE);
        const above = ancestors(server);
        expect(above[0]!.name).toBe(SOLVE);
        expect(above.at(-1)).toBe(root);

        const below = collector.spans.filter(({ parentSpanId }) => parentSpanId === server.spanId);
        expect(below.map(({ name }) => name).sort()).toEqual(["hold", "placement", "queue", "upstream"]);
        expect(below.every(({ traceId }) => traceId === server.traceId)).toBe(true);
        const queue = below.find(({ name }) => name === "queue")!;
        expect(queue.durationMs).toBeGreaterThan(0);
        expect(queue.durationMs).toBeLessThanOrEqual(server.durationMs!);
        expect(queue.events).toContain("waiting");
        expect(queue.attributes?.["bkgw.wait.cause"]).toBe("the only replica is full (1 build)");
        const upstream = below.find(({ name }) => name === "upstream")!;
        expect(upstream.attributes).toMatchObject({ "bkgw.replica": replica.name, "rpc.grpc.status_code": 0 });
        const recorded = await recordedSpans(server.attributes!["bkgw.build_ref"] as string);
        const ofDaemon = recorded.filter(({ Parent }) => Parent.SpanID === upstream.spanId);
        expect(ofDaemon.map(({ Name, SpanContext }) => [Name, SpanContext.TraceID])).toEqual([[SOLVE, server.traceId]]);
        console.log(
          `buildx ${version}: ${below.map(({ name, durationMs }) => `${name} ${durationMs!.toFixed(1)} ms`).join(", ")}`,
        );
      },
    );

    async function recordedSpans(buildRef: string): Promise<RecordedSpan[]> {
      await client.updateHistory({ Ref: buildRef, Finalize: true });
      const [event] = await client.listHistory({ Ref: buildRef });
      const content = await client.readContent(event!.record!.trace!.digest);
      return content
        .toString()
        .split(/\n(?=\{)/)
        .map((span) => JSON.parse(span) as RecordedSpan);
    }

    test("go nowhere, and hold up nobody, where the collector hangs", async () => {
      const silent = await LabCollector.start({ isSilent: true });
      try {
        const hanging = await gateways.start({
          replicas: [replica],
          flags: ["--drain-delay=0s"],
          env: { OTEL_EXPORTER_OTLP_ENDPOINT: silent.url, BUILDKIT_GATEWAY_TRACES_TIMEOUT: "100ms" },
        });
        const version = BUILDX_VERSIONS.find((one) => lab().tools.buildx[one] !== undefined)!;
        const buildx = await lab().createBuilder({ version, address: hanging.address });
        await buildx.mustRun(["build", "--output=type=cacheonly", folder]);
        await hanging.lines.next("trace spans dropped", {});
        expect(silent.requests).toBeGreaterThan(0);
        await buildx.mustRun(["build", "--output=type=cacheonly", folder]);
        expect((await hanging.ask("/metrics")).text).toMatch(/^bkgw_trace_spans_total\{result="dropped"\} [1-9]/m);
        expect(await hanging.terminate()).toBe(0);
      } finally {
        await silent.close();
      }
    });
  },
  { ownReplicas: true },
);
