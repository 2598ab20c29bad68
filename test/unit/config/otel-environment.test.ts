import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { formatProblem } from "../../../src/config/problem.ts";

const REPLICA = ["--replica", "tcp://a:1"];

function load(env: Record<string, string>, file?: string) {
  const argv = file === undefined ? REPLICA : [...REPLICA, "--config", "gateway.yaml"];
  return loadConfig({ argv, env, readFile: () => Buffer.from(file ?? "") });
}

function tracesOf(env: Record<string, string>, file?: string) {
  const loaded = load(env, file);
  return loaded.t === "loaded" ? loaded.config.traces : expect.fail(loaded.problems.map(formatProblem).join("\n"));
}

function problemsOf(env: Record<string, string>, file?: string): string[] {
  const loaded = load(env, file);
  return loaded.t === "invalid" ? loaded.problems.map(formatProblem) : expect.fail("it is loaded");
}

describe("where traces go", () => {
  test("is nowhere, if nothing says it", () => {
    expect(tracesOf({ OTEL_SERVICE_NAME: "other", OTEL_EXPORTER_OTLP_ENDPOINT: "" }).endpoint).toBeUndefined();
  });

  test.each([
    ["http://collector:4318", "http://collector:4318/v1/traces"],
    ["http://collector:4318/", "http://collector:4318/v1/traces"],
    ["https://collector.example/otlp", "https://collector.example/otlp/v1/traces"],
  ])("is below OTEL_EXPORTER_OTLP_ENDPOINT=%s", (endpoint, expected) => {
    expect(tracesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).endpoint).toBe(expected);
  });

  test.each([
    ["http://collector:4318", "http://collector:4318/"],
    ["http://collector:4318/", "http://collector:4318/"],
    ["https://collector.example/own?tenant=ci", "https://collector.example/own?tenant=ci"],
  ])("is exactly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=%s, whatever the one for all says", (endpoint, expected) => {
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_ENDPOINT: "http://other:4318" };
    expect(tracesOf(env).endpoint).toBe(expected);
  });

  test("is what the gateway's own variable says, then a standard one, then the file", () => {
    const file = "traces: { endpoint: http://file:4318 }";
    const standard = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://standard:4318" };
    const own = { BUILDKIT_GATEWAY_TRACES_ENDPOINT: "http://own:4318" };
    expect(tracesOf({}, file).endpoint).toBe("http://file:4318/v1/traces");
    expect(tracesOf(standard, file).endpoint).toBe("http://standard:4318/v1/traces");
    expect(tracesOf({ ...standard, ...own }, file).endpoint).toBe("http://own:4318/v1/traces");
  });

  test.each([
    ["OTEL_SDK_DISABLED", "TRUE"],
    ["OTEL_TRACES_EXPORTER", "none"],
  ])("is nowhere with %s=%s, unless the gateway's own settings say so", (name, value) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", [name]: value };
    expect(tracesOf(env).endpoint).toBeUndefined();
    expect(tracesOf(env, "traces: { endpoint: http://file:4318 }").endpoint).toBe("http://file:4318/v1/traces");
  });

  test("is not spoken to by gRPC", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
    expect(problemsOf(env)).toEqual([
      'OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent over HTTP, not by "grpc" (write http/json and the collector\'s ' +
        "address for it, or OTEL_TRACES_EXPORTER=none)",
    ]);
    const own = { BUILDKIT_GATEWAY_TRACES_ENDPOINT: "http://own:4318" };
    expect(tracesOf({ ...env, ...own }).endpoint).toBe("http://own:4318/v1/traces");
    expect(tracesOf({ ...env, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf" }).endpoint).toBeDefined();
  });

  test("is a problem that names the variable, where it is no URL", () => {
    expect(problemsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" })).toEqual([
      'traces.endpoint (OTEL_EXPORTER_OTLP_ENDPOINT): not a URL: "collector:4318/v1/traces" ' +
        "(write http://collector:4318 or https://…)",
    ]);
  });
});

describe("what traces are from", () => {
  test("is read from the attributes, percent-decoded", () => {
    const env = { OTEL_RESOURCE_ATTRIBUTES: " k8s.pod.name = gateway-0 ,note=a%2Cb%3Dc%20d,, service.name=fleet" };
    const traces = tracesOf(env);
    expect(traces.attributes).toEqual([
      { name: "k8s.pod.name", value: "gateway-0" },
      { name: "note", value: "a,b=c d" },
    ]);
    expect(traces.serviceName).toBe("fleet");
    expect(tracesOf({ ...env, OTEL_SERVICE_NAME: "other" }).serviceName).toBe("other");
  });

  test.each(["gateway-0", "a=%zz"])("is a problem with OTEL_RESOURCE_ATTRIBUTES=%s", (text) => {
    expect(problemsOf({ OTEL_RESOURCE_ATTRIBUTES: text })).toEqual([
      `OTEL_RESOURCE_ATTRIBUTES: not name=value pairs with commas between them: "${text}"`,
    ]);
  });
});

describe("a problem of the file is", () => {
  test.each([
    ["endpoint: collector:4318", 'traces.endpoint (gateway.yaml:2): not a URL: "collector:4318"'],
    ["endpoint: http://user:hunter2@collector", "traces.endpoint (gateway.yaml:2): a URL with a user or password"],
    ["endpoint: http://collector/#x", "traces.endpoint (gateway.yaml:2): a URL with a fragment"],
    [`endpoint: http://${"x".repeat(2_050)}`, "traces.endpoint (gateway.yaml:2): not a URL"],
    ["sampleRatio: 1.5", "traces.sampleRatio (gateway.yaml:2): too large: 1.5 (at most 1)"],
    ["sampleRatio: -1", "traces.sampleRatio (gateway.yaml:2): too small: -1 (at least 0)"],
    ["timeout: 2m", "traces.timeout (gateway.yaml:2): too large: 2m (at most 1m)"],
    ["queueSpans: 0", "traces.queueSpans (gateway.yaml:2): too small: 0 (at least 1)"],
    ["attributes: [nothing]", 'traces.attributes[0] (gateway.yaml:2): not an attribute: "nothing"'],
    ["attributes: [a=1, a=2]", 'traces.attributes[1] (gateway.yaml:2): name "a" is given twice'],
    [`attributes: [a=${"x".repeat(1_025)}]`, "attribute longer than 1024 characters"],
  ])("%s", (line, expected) => {
    const [problem, ...others] = problemsOf({}, `traces:\n  ${line}\n`);
    expect(problem).toContain(expected);
    expect(problem).not.toContain("hunter2");
    expect(others).toEqual([]);
  });
});
