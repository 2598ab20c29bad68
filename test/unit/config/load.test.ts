import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { formatProblem } from "../../../src/config/problem.ts";
import type { Config } from "../../../src/config/schema.ts";

interface Given {
  argv?: string[];
  env?: Record<string, string>;
  /** What the file called gateway.yaml says; `--config` is added for it. */
  file?: string;
}

function load({ argv = [], env = {}, file }: Given) {
  return loadConfig({
    argv: file === undefined ? argv : [...argv, "--config", "gateway.yaml"],
    env,
    readFile: () => Buffer.from(file ?? ""),
  });
}

function configOf(given: Given): Config {
  const result = load(given);
  if (result.t === "invalid") throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}

function problemsOf(given: Given): string[] {
  const result = load(given);
  return result.t === "invalid" ? result.problems.map(formatProblem) : [];
}

const REPLICA = ["--replica", "tcp://a:1"];

describe("defaults", () => {
  test("one replica is all that has to be given", () => {
    expect(configOf({ argv: REPLICA })).toEqual({
      listen: [{ t: "tcp", host: "0.0.0.0", port: 1234 }],
      workers: 1,
      replicas: [{ name: "a:1", address: { t: "tcp", host: "a", port: 1 } }],
      replicasDns: [],
      replicasService: [],
      maxBuilds: 8,
      platforms: [],
      pools: {},
      tls: { mode: "off" },
      replicaTls: { enabled: false },
      admin: {
        listen: { t: "tcp", host: "127.0.0.1", port: 6060 },
        replicaDebugPort: 6_060,
        replicaProfiles: false,
      },
      log: { level: "info" },
      drain: { delay: 5_000, grace: 3_600_000 },
      kubernetes: { deletionCost: false },
      identity: {
        trust: [],
        pods: {
          namespaces: [],
          labels: ["actions.github.com/scale-set-name", "app.kubernetes.io/name"],
          runners: true,
        },
      },
      metrics: { repositories: 0 },
      traces: { sampleRatio: 1, serviceName: "buildkit-gateway", attributes: [], timeout: 10_000, queueSpans: 2_048 },
      policy: {},
      control: {
        timeout: 5_000,
        slowTimeout: 120_000,
        incomplete: { diskUsage: "error", prune: "error", history: "error" },
      },
      affinity: {
        keys: ["repository", "image", "identity", "sharedkey"],
        patience: 5_000,
        lifetime: 604_800_000,
        entries: 100_000,
      },
      placement: { loadFactor: 2, loadFloor: 4 },
      queue: { builds: 1_000, timeout: 1_800_000, perKey: 0, weights: [], progress: "queued" },
      health: { interval: 5_000, timeout: 2_000, failures: 2, frozenAfter: 30_000 },
      limits: {
        connections: 20_000,
        handshakeTimeout: 10_000,
        connectTimeout: 5_000,
        headersTimeout: 10_000,
        requestTimeout: 300_000,
        streams: 100_000,
        headerListBytes: 1_048_576,
        replicaHeaderListBytes: 16_777_216,
        solveBytes: 67_108_864,
        heldBytes: 134_217_728,
        heldStreams: 10_000,
        backlogBytes: 4_194_304,
        controlFramesPerSecond: 10_000,
        resetsPerSecond: 2_000,
      },
    });
  });

  test("no replica and no config is one problem that says what to give", () => {
    expect(problemsOf({})).toEqual([
      "no replica given: use --replica tcp://host:port, --replicas-dns name:port, --replicas-service name or --config gateway.yaml",
    ]);
  });

  test("a DNS name is enough", () => {
    expect(configOf({ argv: ["--replicas-dns", "buildkit.ci:1234"] }).replicasDns).toEqual([
      { name: "buildkit.ci", port: 1234 },
    ]);
  });

  test("an empty file and empty sections are all defaults", () => {
    expect(configOf({ argv: REPLICA, file: "" })).toEqual(configOf({ argv: REPLICA }));
    expect(configOf({ argv: REPLICA, file: "tls:\nlimits:\nhealth: {}\n" })).toEqual(configOf({ argv: REPLICA }));
  });
});

describe("precedence", () => {
  const file = "drain: { grace: 1m }\nreplicas: [tcp://file:1]\n";
  const env = { BUILDKIT_GATEWAY_DRAIN_GRACE: "2m", BUILDKIT_GATEWAY_REPLICAS: "tcp://env:1,tcp://env:2" };

  test("a file wins over the default", () => {
    expect(configOf({ file }).drain.grace).toBe(60_000);
  });

  test("a variable wins over the file, and replaces a list whole", () => {
    const config = configOf({ file, env });
    expect(config.drain.grace).toBe(120_000);
    expect(config.replicas.map(({ name }) => name)).toEqual(["env:1", "env:2"]);
  });

  test("a flag wins over the variable", () => {
    const config = configOf({
      file,
      env,
      argv: ["--grace", "3m", "--replica", "tcp://flag:1", "--replica=x=tcp://flag:2"],
    });
    expect(config.drain.grace).toBe(180_000);
    expect(config.replicas.map(({ name }) => name)).toEqual(["flag:1", "x"]);
  });

  test("a flag beside a file leaves the rest of the section alone", () => {
    const config = configOf({ file: "placement: { loadFloor: 9 }", argv: [...REPLICA, "--load-factor", "2"] });
    expect(config.placement).toMatchObject({ loadFloor: 9, loadFactor: 2 });
  });

  test("a variable names the file where no flag does", () => {
    const read: string[] = [];
    const readFile = (path: string) => {
      read.push(path);
      return Buffer.from("replicas: tcp://a:1");
    };
    const env = { BUILDKIT_GATEWAY_CONFIG: "from-env.yaml" };
    expect(loadConfig({ argv: [], env, readFile }).t).toBe("loaded");
    expect(loadConfig({ argv: ["--config", "from-flag.yaml"], env, readFile }).t).toBe("loaded");
    expect(read).toEqual(["from-env.yaml", "from-flag.yaml"]);
  });

  test("an empty variable counts as not set", () => {
    expect(configOf({ argv: REPLICA, env: { BUILDKIT_GATEWAY_DRAIN_GRACE: "" } }).drain.grace).toBe(3_600_000);
  });
});

describe("problems", () => {
  test("all are reported at once, each with its path and where it came from", () => {
    const problems = problemsOf({
      argv: ["--listen", "1234", "--replica", "tcp://a:1", "--replica", "tcp://:0"],
      env: { BUILDKIT_GATEWAY_HEALTH_FAILURES: "two", BUILDKIT_GATEWAY_HELTH_TIMEOUT: "1s" },
      file: "drain:\n  grace: 300\n  grece: 1h\nlimits: 5\nlog: { level: loud }\n",
    });
    expect(problems).toEqual([
      "BUILDKIT_GATEWAY_HELTH_TIMEOUT: unknown variable (did you mean BUILDKIT_GATEWAY_HEALTH_TIMEOUT?)",
      'listen[0] (--listen): not an address: "1234" (write tcp://host:port or unix:///path)',
      'replicas[1].address (--replica): no host to connect to: "tcp://:0"',
      'log.level (gateway.yaml:5): not one of fatal, error, warn, info, debug, trace, silent: "loud"',
      'drain.grace (gateway.yaml:2): not a duration: "300" (write 250ms, 30s, 5m or 1h)',
      "drain.grece (gateway.yaml:3): unknown key (did you mean grace?)",
      'health.failures (BUILDKIT_GATEWAY_HEALTH_FAILURES): not a whole number: "two"',
      "limits (gateway.yaml:4): not a section (write its keys below it, indented)",
    ]);
  });

  // Found by `npm run fuzz`.
  test("a key that cannot be seen is shown in quotes", () => {
    const file = '"": 1\npools:\n  "": 5\nlog: { "a\\nb": 1, "\\e[31m": 2 }\n';
    expect(problemsOf({ file })).toEqual(
      expect.arrayContaining([
        '"" (gateway.yaml:1): unknown key',
        'pools."" (gateway.yaml:3): not a section (write its keys below it, indented)',
        'log."a\\nb" (gateway.yaml:4): unknown key',
        'log."\\u001b[31m" (gateway.yaml:4): unknown key',
      ]),
    );
  });

  // Found by `npm run fuzz`: a problem for each was more than the stack holds.
  test("a list of half a million items is one", () => {
    expect(problemsOf({ argv: REPLICA, env: { BUILDKIT_GATEWAY_PLATFORMS: "a,".repeat(500_000) } })).toEqual([
      "platforms (BUILDKIT_GATEWAY_PLATFORMS): more than 10000 items",
    ]);
  });

  test.each([
    ["a long list", { env: { BUILDKIT_GATEWAY_PLATFORMS: "a,".repeat(9_000) } }],
    ["many unknown keys", { file: Array.from({ length: 5_000 }, (_, index) => `key${index}: 1\n`).join("") }],
    ["many unknown flags", { argv: Array(1_000).fill("--x=1") }],
  ])("no more than 100 are listed of %s", (_what, given) => {
    const problems = problemsOf(given);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toBe("further problems are not listed");
  });

  test("a setting that has had another name is told its new one", () => {
    const env = { BUILDKIT_GATEWAY_PLACEMENT_AFFINITY: "image" };
    expect(problemsOf({ argv: REPLICA, env, file: "placement:\n  affinity: [image]\n" })).toEqual([
      "BUILDKIT_GATEWAY_PLACEMENT_AFFINITY: unknown variable (it is BUILDKIT_GATEWAY_AFFINITY_KEYS now)",
      "placement.affinity (gateway.yaml:2): unknown key (it is affinity.keys now)",
    ]);
  });

  test("those of a pool carry its name, their line, and a key that was meant", () => {
    const file = [
      "pools:",
      "  amd64:",
      "    lisetn: tcp://0.0.0.0:1234",
      "    replicas: [tcp://a:0]",
      "    maxBuilds: many",
      "  arm64: 5",
      "",
    ];
    expect(problemsOf({ file: file.join("\n") })).toEqual([
      'pools.amd64.replicas[0].address (gateway.yaml:4): no port to connect to: "tcp://a:0"',
      'pools.amd64.maxBuilds (gateway.yaml:5): not a whole number: "many"',
      "pools.amd64.lisetn (gateway.yaml:3): unknown key (did you mean listen?)",
      "pools.arm64 (gateway.yaml:6): not a section (write its keys below it, indented)",
      "pools.amd64.listen (gateway.yaml:2): a pool needs listen, servernames, or a rule of policy that sends builds there",
    ]);
  });

  test("a flag for a replica beside pools is refused where it was given", () => {
    const file = "pools: { a: { listen: tcp://b:1, replicas: tcp://a:1 } }";
    expect(problemsOf({ argv: REPLICA, env: { BUILDKIT_GATEWAY_REPLICAS_DNS: "b:1" }, file })).toEqual([
      "replicas (--replica): with pools, each replica belongs in a pool",
      "replicasDns (BUILDKIT_GATEWAY_REPLICAS_DNS): with pools, each replica belongs in a pool",
    ]);
  });

  test.each(["pools:\n", "pools: {}\n"])("%j is no pool, and no replica", (file) => {
    expect(problemsOf({ file })).toEqual([expect.stringMatching(/^no replica given: /)]);
  });

  test.each([
    [["--grase", "1h"], "--grase: unknown flag (did you mean --grace?)"],
    [["--replicas=tcp://a:1"], "--replicas: unknown flag (did you mean --replica?)"],
    [["-x"], "-x: unknown flag"],
    [["--listen"], "--listen: needs a value"],
    [["--listen", "--grace=1h"], "--listen: needs a value"],
    [["--grace="], "--grace: needs a value"],
    [["--grace", "1h", "--grace", "2h"], "--grace: is given twice"],
    [["tcp://b:1"], 'unexpected argument: "tcp://b:1"'],
  ])("the command line %j", (argv, problem) => {
    expect(problemsOf({ argv: [...REPLICA, ...argv] })).toEqual([problem]);
  });

  test("a mistyped --replica is not followed by a complaint about no replicas", () => {
    expect(problemsOf({ argv: ["--replcia", "tcp://a:1"] })).toEqual([
      "--replcia: unknown flag (did you mean --replica?)",
    ]);
  });

  test("the variables that Kubernetes sets for a Service of our name are left alone", () => {
    const env = {
      BUILDKIT_GATEWAY_SERVICE_HOST: "10.0.0.1",
      BUILDKIT_GATEWAY_SERVICE_PORT: "1234",
      BUILDKIT_GATEWAY_SERVICE_PORT_GRPC: "1234",
      BUILDKIT_GATEWAY_PORT: "tcp://10.0.0.1:1234",
      BUILDKIT_GATEWAY_PORT_1234_TCP: "tcp://10.0.0.1:1234",
      BUILDKIT_GATEWAY_PORT_1234_TCP_PROTO: "tcp",
      BUILDKIT_GATEWAY_PORT_1234_TCP_ADDR: "10.0.0.1",
      BUILDKIT_GATEWAY_ADMIN_SERVICE_HOST: "10.0.0.2",
      BUILDKIT_GATEWAY_ADMIN_PORT_6060_TCP_PORT: "6060",
    };
    expect(problemsOf({ argv: REPLICA, env })).toEqual([]);
  });

  test("a message that quotes something very long is cut, and stays on one line", () => {
    const [problem] = problemsOf({ argv: [...REPLICA, "--grace", `${"9\n".repeat(5_000)}`] });
    expect(problem).toMatch(/^drain\.grace \(--grace\): not a duration: "9/);
    expect(problem!.length).toBeLessThan(400);
    expect(problem).not.toContain("\n");
  });

  test("a section that a file gives as a value is reported even when a variable sets a key of it", () => {
    expect(problemsOf({ argv: REPLICA, file: "drain: 5", env: { BUILDKIT_GATEWAY_DRAIN_GRACE: "1m" } })).toEqual([
      "drain (gateway.yaml:1): not a section (write its keys below it, indented)",
    ]);
  });
});
