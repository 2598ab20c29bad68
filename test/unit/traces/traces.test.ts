import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLog } from "../../../src/base/log.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { openTraces } from "../../../src/configured-traces.ts";
import { Traces } from "../../../src/traces/traces.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RoutingRig, ScriptedClient, settled, solve } from "../routing/routing-rig.ts";

const SOURCE = fileURLToPath(new URL("../../../src/", import.meta.url));

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A collector for one test; `answer` may keep it waiting. */
async function startCollector(answer: boolean): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ path: request.url!, headers: request.headers, body });
      if (answer) response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

async function buildOnce(traces: Traces): Promise<void> {
  const rig: RoutingRig = new RoutingRig(["a"], {
    observeBuild: traces.observerOf({ name: "default", replicas: () => [] }),
  });
  const call = rig.solve(new ScriptedClient(), solve("r"));
  await settled();
  call.ending = { status: 0, saidBy: "replica", message: "" };
  call.succeed();
}

const OPTIONS = {
  headersFile: undefined,
  sampleRatio: 1,
  serviceName: "fleet",
  attributes: [{ name: "k8s.cluster.name", value: "ci" }],
  timeoutMs: 10_000,
  maxSpans: 100,
  clock: systemClock,
  log: silentLog(),
};

describe("a collector", () => {
  test("gets what there is when the gateway ends, as JSON, with the headers of the file", async () => {
    const { url, received } = await startCollector(true);
    const folder = mkdtempSync(join(tmpdir(), "traces-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const headersFile = join(folder, "headers");
    writeFileSync(headersFile, "Authorization: Bearer one\n");
    const traces = await Traces.open({ ...OPTIONS, endpoint: `${url}/v1/traces`, headersFile });
    await buildOnce(traces);
    writeFileSync(headersFile, "Authorization: Bearer two\n");
    await traces.close();
    expect(traces.census()).toEqual({ exported: 4, dropped: 0 });
    const [{ path, headers, body }] = received as [Received];
    expect(path).toBe("/v1/traces");
    expect(headers).toMatchObject({ "content-type": "application/json", authorization: "Bearer two" });
    const [{ resource, scopeSpans }] = JSON.parse(body).resourceSpans;
    const attributes = Object.fromEntries(
      resource.attributes.map(({ key, value }: { key: string; value: { stringValue: string } }) => [
        key,
        value.stringValue,
      ]),
    );
    expect(attributes).toMatchObject({ "service.name": "fleet", "k8s.cluster.name": "ci" });
    expect(attributes["service.version"]).toMatch(/^\d/);
    expect(scopeSpans[0].spans.map(({ name }: { name: string }) => name)).toEqual([
      "hold",
      "placement",
      "upstream",
      "moby.buildkit.v1.Control/Solve",
    ]);
  });

  test("that takes a request and does not answer holds up the gateway's end for a second", async () => {
    const { url } = await startCollector(false);
    const clock = new FakeClock();
    const traces = await Traces.open({ ...OPTIONS, endpoint: url, clock });
    await buildOnce(traces);
    const closed = traces.close();
    clock.advance(1_000);
    await closed;
  });
});

test("a file of headers that cannot be read is told at the start", async () => {
  const options = { ...OPTIONS, endpoint: "http://127.0.0.1:9", headersFile: "/nonexistent" };
  await expect(Traces.open(options)).rejects.toThrow("traces.headersFile");
});

describe("without a collector", () => {
  test("there are no traces", async () => {
    const loaded = loadConfig({ argv: ["--replica=tcp://a:1"], env: {}, readFile: () => Buffer.alloc(0) });
    if (loaded.t === "invalid") return expect.fail("the configuration is not valid");
    expect(await openTraces(loaded.config, systemClock, silentLog())).toBeUndefined();
  });

  test("nothing of OpenTelemetry is loaded: all of it is in one folder, which is imported late", () => {
    const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
    const early = files
      .filter((path) => !path.startsWith("traces/"))
      .filter((path) => {
        const text = readFileSync(join(SOURCE, path), "utf8");
        return /^import (?!type )[^;]*"(@opentelemetry\/|[./]*\/traces\/)/m.test(text);
      });
    expect(early).toEqual([]);
  });
});
