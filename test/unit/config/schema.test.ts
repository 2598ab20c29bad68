import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { formatProblem } from "../../../src/config/problem.ts";
import { configSchema } from "../../../src/config/schema.ts";

/** The problems of a tree as a file would give it, in the form `path: message`. */
function problemsOf(tree: Record<string, unknown>): string[] {
  const file = JSON.stringify({ replicas: ["tcp://a:1"], ...tree });
  const result = loadConfig({ argv: ["--config", "x.json"], env: {}, readFile: () => Buffer.from(file) });
  return result.t === "loaded"
    ? []
    : result.problems.map(({ subject, message }) => formatProblem({ subject, message }));
}

const CERT = { cert: "tls.crt", key: "tls.key" };

describe("tls.mode", () => {
  test.each([
    [{}, "off"],
    [CERT, "optional"],
    [{ ...CERT, clientCa: "ca.crt" }, "required"],
    [{ ...CERT, clientCa: "ca.crt", mode: "optional" }, "optional"],
    [{ ...CERT, mode: "required" }, "required"],
    [{ ...CERT, mode: "off" }, "off"],
  ])("with %j is %s", (tls, mode) => {
    expect(configSchema.parse({ tls }).tls.mode).toBe(mode);
  });
});

describe("replicaTls", () => {
  test.each([
    [{}, false],
    [{ ca: "ca.crt" }, true],
    [{ servername: "buildkitd" }, true],
    [{ enabled: true }, true],
    [{ enabled: "true" }, true],
    [{ enabled: false, ca: "ca.crt" }, false],
  ])("with %j is on: %s", (replicaTls, isOn) => {
    expect(configSchema.parse({ replicaTls }).replicaTls.enabled).toBe(isOn);
  });
});

describe("keys that need each other", () => {
  test.each([
    [{ tls: { cert: "x" } }, ["tls.cert: needs tls.key"]],
    [{ tls: { key: "x" } }, ["tls.key: needs tls.cert"]],
    [{ tls: { clientCa: "x" } }, ["tls.clientCa: needs tls.cert and tls.key"]],
    [{ tls: { mode: "required" } }, ["tls.mode: required needs tls.cert and tls.key"]],
    [{ tls: { mode: "optional" } }, ["tls.mode: optional needs tls.cert and tls.key"]],
    [{ replicaTls: { cert: "x" } }, ["replicaTls.cert: needs replicaTls.key"]],
    [{ replicaTls: { key: "x" } }, ["replicaTls.key: needs replicaTls.cert"]],
    [{ limits: { heldBytes: "1MiB" } }, ["limits.heldBytes: must be at least limits.solveBytes"]],
  ])("%j", (tree, problems) => {
    expect(problemsOf(tree)).toEqual(problems);
  });

  test("are checked beside a key that is wrong", () => {
    expect(problemsOf({ tls: { cert: "x", mode: "perhaps", colour: "red" } })).toEqual([
      'tls.mode: not one of off, optional, required: "perhaps"',
      "tls.colour: unknown key",
      "tls.cert: needs tls.key",
    ]);
  });
});

describe("replicas", () => {
  test.each([
    ["tcp://a:1", { name: "a:1", address: { t: "tcp", host: "a", port: 1 } }],
    ["tcp://[::1]:1", { name: "[::1]:1", address: { t: "tcp", host: "::1", port: 1 } }],
    ["unix:///run/b=c.sock", { name: "/run/b=c.sock", address: { t: "unix", path: "/run/b=c.sock" } }],
    ["b-1=tcp://a:1", { name: "b-1", address: { t: "tcp", host: "a", port: 1 } }],
    ["b=unix:///run/b=c.sock", { name: "b", address: { t: "unix", path: "/run/b=c.sock" } }],
    [
      { name: "b", address: "tcp://a:1" },
      { name: "b", address: { t: "tcp", host: "a", port: 1 } },
    ],
    [{ address: "tcp://a:1" }, { name: "a:1", address: { t: "tcp", host: "a", port: 1 } }],
  ])("%j is read", (written, replica) => {
    expect(configSchema.parse({ replicas: [written] }).replicas).toEqual([replica]);
  });

  test.each([
    ["a:1", 'replicas[0].address: not an address: "a:1" (write tcp://host:port or unix:///path)'],
    ["tcp://a:0", 'replicas[0].address: no port to connect to: "tcp://a:0"'],
    ["tcp://a:65536", 'replicas[0].address: not an address: "tcp://a:65536" (write tcp://host:port or unix:///path)'],
    ["=tcp://a:1", 'replicas[0].name: not a replica name: "" (letters, digits, ".", "_" and "-")'],
    ["b c=tcp://a:1", 'replicas[0].name: not a replica name: "b c" (letters, digits, ".", "_" and "-")'],
    [{ name: "b" }, "replicas[0].address: no value given (tcp://host:port or unix:///path)"],
    [{ address: "tcp://a:1", weight: 3 }, "replicas[0].weight: unknown key"],
    [5, "replicas[0]: not a replica (write an address or name=address)"],
    [null, "replicas[0]: not a replica (write an address or name=address)"],
  ])("%j is refused", (written, problem) => {
    expect(problemsOf({ replicas: [written] })).toEqual([problem]);
  });

  test("no two share a name or an address", () => {
    expect(problemsOf({ replicas: ["x=tcp://a:1", "x=tcp://a:2", "y=tcp://a:2"] })).toEqual([
      'replicas[1]: name "x" is given twice',
      "replicas[2]: address tcp://a:2 is given twice",
    ]);
  });
});

describe("replicasService", () => {
  test("a service is read with its namespace and a port by number or name", () => {
    const { replicasService } = configSchema.parse({ replicasService: "replicas, ci/replicas:1234, ci/other:grpc" });
    expect(replicasService).toEqual([
      { name: "replicas" },
      { namespace: "ci", name: "replicas", port: 1234 },
      { namespace: "ci", name: "other", port: "grpc" },
    ]);
  });

  test.each(["", "a/b/c", "A", "a:0", "a:65536", "a:", "/a", "a.b.svc", `${"a".repeat(64)}`])(
    "%j is refused",
    (name) => {
      expect(problemsOf({ replicasService: [name] })).toEqual([
        `replicasService[0]: not a service: ${JSON.stringify(name)} (write [namespace/]service[:port])`,
      ]);
    },
  );

  test("none is given twice, under whatever port", () => {
    expect(problemsOf({ replicasService: ["ci/a", "ci/a:1234"] })).toEqual([
      'replicasService[1]: service "ci/a" is given twice',
    ]);
  });
});

describe("kubernetes", () => {
  test("what belongs together is asked for together", () => {
    const kubernetes = { kubeconfig: "k", server: "https://k:6443" };
    expect(problemsOf({ replicas: ["tcp://a:1"], kubernetes })).toEqual([
      "kubernetes.server: stands in the kubeconfig file already",
    ]);
    expect(problemsOf({ replicas: ["tcp://a:1"], kubernetes: { deletionCost: true } })).toEqual([
      "kubernetes.deletionCost: needs replicasService",
    ]);
    expect(problemsOf({ replicas: ["tcp://a:1"], kubernetes: { context: "c", tokenFile: "t", caFile: "ca" } })).toEqual(
      [
        "kubernetes.context: needs kubernetes.kubeconfig",
        "kubernetes.tokenFile: needs kubernetes.server",
        "kubernetes.caFile: needs kubernetes.server",
      ],
    );
  });
});

describe("replicasDns", () => {
  test("a name with a port or a bare one for SRV records is read", () => {
    const { replicasDns } = configSchema.parse({ replicasDns: "buildkit.ci.svc:1234, _grpc._tcp.buildkit.ci.svc." });
    expect(replicasDns).toEqual([{ name: "buildkit.ci.svc", port: 1234 }, { name: "_grpc._tcp.buildkit.ci.svc." }]);
  });

  test.each(["", "a..b", "-a", "a:0", "a:65536", "tcp://a:1", "a b", `${"a".repeat(64)}.b`])(
    "%j is refused",
    (name) => {
      expect(problemsOf({ replicasDns: [name] })).toEqual([
        `replicasDns[0]: not a DNS name: ${JSON.stringify(name)} (write name:port, or name for SRV records)`,
      ]);
    },
  );

  test("an address belongs under replicas", () => {
    expect(problemsOf({ replicasDns: ["10.0.0.1:1234"] })).toEqual([
      'replicasDns[0]: an address, not a DNS name: "10.0.0.1:1234" (list it under replicas)',
    ]);
  });
});

describe("admin.listen", () => {
  test.each([
    ["0.0.0.0:6060", { t: "tcp", host: "0.0.0.0", port: 6060 }],
    [":6060", { t: "tcp", host: "", port: 6060 }],
    ["tcp://[::]:6060", { t: "tcp", host: "::", port: 6060 }],
    ["unix:///run/admin.sock", { t: "unix", path: "/run/admin.sock" }],
    ["off", "off"],
  ])("%j is read", (written, address) => {
    expect(configSchema.parse({ admin: { listen: written } }).admin.listen).toEqual(address);
  });

  test.each(["a:1,b:2", "a:65536", "a b:1]:2"])("%j is refused as it was written", (written) => {
    expect(problemsOf({ admin: { listen: written } })).toEqual([
      `admin.listen: not an address: ${JSON.stringify(written)} (write host:port, unix:///path or off)`,
    ]);
  });

  test.each(["6060", 6060, "host", "http://a:1"])("%j is refused", (written) => {
    expect(problemsOf({ admin: { listen: written } })[0]).toMatch(/^admin\.listen: not an address: /);
  });
});

describe("values", () => {
  test.each([
    [{ placement: { loadFactor: 0.9 } }, "placement.loadFactor: too small: 0.9 (at least 1)"],
    [{ placement: { loadFactor: "Infinity" } }, 'placement.loadFactor: not a number: "Infinity"'],
    [
      { affinity: { keys: ["image", "colour"] } },
      'affinity.keys[1]: not one of repository, repository-root, image, identity, sharedkey: "colour"',
    ],
    [{ affinity: { keys: ["image", "image"] } }, "affinity.keys[1]: image is given twice"],
    [{ affinity: { entries: 0 } }, "affinity.entries: too small: 0 (at least 1)"],
    [{ affinity: { entries: 10_000_001 } }, "affinity.entries: too large: 10000001 (at most 10000000)"],
    [{ affinity: { lifetime: "1d" } }, 'affinity.lifetime: not a duration: "1d" (write 250ms, 30s, 5m or 1h)'],
    [{ queue: { timeout: "0" } }, "queue.timeout: too small: 0s (at least 1s)"],
    [{ queue: { builds: -1 } }, "queue.builds: too small: -1 (at least 0)"],
    [{ queue: { progress: "on" } }, 'queue.progress: not one of queued, always, off: "on"'],
    [{ maxBuilds: -1 }, "maxBuilds: too small: -1 (at least 0)"],
    [{ admin: { tokenFile: "" } }, 'admin.tokenFile: not a file: ""'],
    [{ health: { interval: "1ms" } }, "health.interval: too small: 1ms (at least 100ms)"],
    [{ health: { failures: 0 } }, "health.failures: too small: 0 (at least 1)"],
    [{ health: { failures: 1.5 } }, 'health.failures: not a whole number: "1.5"'],
    [{ health: { failures: null } }, "health.failures: no value given (number)"],
    [{ limits: { solveBytes: 1024 } }, 'limits.solveBytes: not a size: "1024" (write 512B, 16KiB, 64MiB or 1GiB)'],
    [{ limits: { headerListBytes: "1B" } }, "limits.headerListBytes: too small: 1B (at least 4KiB)"],
    [{ limits: { headerListBytes: "5GiB" } }, "limits.headerListBytes: too large: 5GiB (at most 1GiB)"],
    [{ drain: { grace: true } }, "drain.grace: not a duration: true"],
    [{ replicaTls: { enabled: "yes" } }, 'replicaTls.enabled: not true or false: "yes"'],
    [{ tls: { ...CERT, key: "two words" } }, 'tls.key: not a file: "two words"'],
    [{ listen: 1234 }, "listen: not a list"],
    [{ listen: ["tcp://a:1", "tcp://a:1"] }, "listen[1]: address tcp://a:1 is given twice"],
    [{ constructor: 1 }, "constructor: unknown key"],
  ])("%j is refused", (tree, problem) => {
    expect(problemsOf(tree)).toEqual([problem]);
  });

  test("two listeners may both take a free port", () => {
    expect(problemsOf({ listen: ["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"] })).toEqual([]);
  });

  test("affinity may be empty, and streams unlimited", () => {
    const config = configSchema.parse({
      affinity: { keys: [] },
      limits: { streams: 0 },
    });
    expect(config.affinity.keys).toEqual([]);
    expect(config.limits).toMatchObject({ streams: 0 });
  });
});

describe("platforms", () => {
  test("an operating system and an architecture, with a variant where there are several, are read", () => {
    expect(configSchema.parse({ platforms: "linux/amd64, linux/arm64/v8" }).platforms).toEqual([
      "linux/amd64",
      "linux/arm64/v8",
    ]);
  });

  test.each(["linux", "amd64/", "linux/amd64/v2/x", "Linux/amd64", "linux /amd64", "", 5])(
    "%j is refused",
    (platform) => {
      expect(problemsOf({ platforms: [platform] })).toEqual([
        `platforms[0]: not a platform: ${JSON.stringify(String(platform))} (write linux/amd64 or linux/arm64/v8)`,
      ]);
    },
  );

  test("one is not given twice", () => {
    expect(problemsOf({ platforms: ["linux/amd64", "linux/amd64"] })).toEqual([
      "platforms[1]: linux/amd64 is given twice",
    ]);
  });
});

describe("queue.weights", () => {
  test.each([
    ["github.com/acme/*=2", { pattern: "github.com/acme/*", weight: 2 }],
    ["*=0.5", { pattern: "*", weight: 0.5 }],
    ["image:a=b=1000", { pattern: "image:a=b", weight: 1_000 }],
  ])("%j is read", (written, weight) => {
    expect(configSchema.parse({ queue: { weights: [written] } }).queue.weights).toEqual([weight]);
  });

  const outOfBounds = (written: string) => `not a weight above 0 and up to 1000: ${JSON.stringify(written)}`;

  test.each([
    ["github.com/acme/app", 'not a weight: "github.com/acme/app" (write github.com/acme/*=2)'],
    ["=2", 'not a weight: "=2" (write github.com/acme/*=2)'],
    ["two words=2", 'not a weight: "two words=2" (write github.com/acme/*=2)'],
    ["a*b=2", '"*" can only end a pattern: "a*b"'],
    ["**=2", '"*" can only end a pattern: "**"'],
    [`${"a".repeat(513)}=2`, `pattern longer than 512 characters: "${"a".repeat(513)}"`],
    ["a=", outOfBounds("")],
    ["a=0", outOfBounds("0")],
    ["a=-1", outOfBounds("-1")],
    ["a=1000.5", outOfBounds("1000.5")],
    ["a=1e3", outOfBounds("1e3")],
    ["a=0x2", outOfBounds("0x2")],
    [2, 'not a weight: "2" (write github.com/acme/*=2)'],
  ])("%j is refused", (written, message) => {
    const result = configSchema.safeParse({ queue: { weights: [written] } });
    expect(result.error?.issues).toMatchObject([{ path: ["queue", "weights", 0], message }]);
  });

  test("a pattern has one weight", () => {
    expect(problemsOf({ queue: { weights: ["a=1", "a=2"] } })).toEqual([
      'queue.weights[1]: pattern "a" is given twice',
    ]);
  });
});
