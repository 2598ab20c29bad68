import { describe, expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { poolsOf } from "../../../src/config/pools.ts";
import { formatProblem } from "../../../src/config/problem.ts";
import type { Config } from "../../../src/config/schema.ts";

function load(tree: Record<string, unknown>) {
  const file = JSON.stringify(tree);
  return loadConfig({ argv: ["--config", "x.json"], env: {}, readFile: () => Buffer.from(file) });
}

/** The problems of a tree as a file would give it, in the form `path: message`. */
function problemsOf(tree: Record<string, unknown>): string[] {
  const result = load(tree);
  return result.t === "loaded"
    ? []
    : result.problems.map(({ subject, message }) => formatProblem({ subject, message }));
}

function configOf(tree: Record<string, unknown>): Config {
  const result = load(tree);
  if (result.t === "invalid") throw new Error(result.problems.map(formatProblem).join("\n"));
  return result.config;
}

const CERT = { cert: "tls.crt", key: "tls.key" };

/** A pool on a port of its own. */
function pool(port: number, more: Record<string, unknown> = {}) {
  return { listen: [`tcp://0.0.0.0:${port}`], replicas: [`tcp://replica-${port}:1234`], ...more };
}

/** A pool with a name of its own. */
function named(...servernames: string[]) {
  return { servernames, replicasDns: ["buildkit.ci:1234"] };
}

describe("poolsOf", () => {
  test("without pools there is one, of the settings outside", () => {
    const config = configOf({
      replicas: ["tcp://a:1"],
      replicasDns: ["b:2"],
      replicasService: "ci/buildkit:1234",
      maxBuilds: 3,
      platforms: ["linux/arm64"],
    });
    expect(poolsOf(config)).toEqual([
      {
        name: "default",
        listen: [],
        servernames: [],
        replicas: [{ name: "a:1", address: { t: "tcp", host: "a", port: 1 } }],
        replicasDns: [{ name: "b", port: 2 }],
        replicasService: [{ namespace: "ci", name: "buildkit", port: 1234 }],
        maxBuilds: 3,
        platforms: ["linux/arm64"],
      },
    ]);
  });

  test("a pool's own maxBuilds and platforms win, even as 0 and as none", () => {
    const config = configOf({
      maxBuilds: 3,
      platforms: ["linux/amd64"],
      pools: { a: pool(1), b: pool(2, { maxBuilds: 0, platforms: [] }), c: pool(3, { platforms: "linux/arm64" }) },
    });
    expect(poolsOf(config).map(({ name, maxBuilds, platforms }) => ({ name, maxBuilds, platforms }))).toEqual([
      { name: "a", maxBuilds: 3, platforms: ["linux/amd64"] },
      { name: "b", maxBuilds: 0, platforms: [] },
      { name: "c", maxBuilds: 3, platforms: ["linux/arm64"] },
    ]);
  });

  test("a pool may have addresses and names, and both kinds of replicas", () => {
    const config = configOf({
      tls: CERT,
      pools: { a: pool(1, { servernames: "A.Example, *.ci.Example", replicasDns: "b:2" }) },
    });
    expect(poolsOf(config)).toMatchObject([
      {
        listen: [{ t: "tcp", host: "0.0.0.0", port: 1 }],
        servernames: ["a.example", "*.ci.example"],
        replicas: [{ name: "replica-1:1234" }],
        replicasDns: [{ name: "b", port: 2 }],
      },
    ]);
  });
});

describe("the common listen", () => {
  const usual = [{ t: "tcp", host: "0.0.0.0", port: 1234 }];

  test("is not opened where every pool has only its own", () => {
    expect(configOf({ pools: { a: pool(1), b: pool(1234) } }).listen).toEqual([]);
  });

  test("is opened at its default where a pool has a servername", () => {
    expect(configOf({ tls: CERT, pools: { a: pool(1), b: named("b.example") } }).listen).toEqual(usual);
  });

  test("that leads nowhere is refused, even at its default's value", () => {
    expect(problemsOf({ listen: "tcp://0.0.0.0:1234", pools: { a: pool(1) } })).toEqual([
      "listen: leads to no pool (give a pool servernames, or leave it out)",
    ]);
  });

  test("is no pool's own, be it given or the default", () => {
    const pools = { a: named("a.example"), b: pool(1234) };
    const problem = "pools.b.listen[0]: tcp://0.0.0.0:1234 is the common listen's";
    expect(problemsOf({ tls: CERT, pools })).toEqual([problem]);
    expect(problemsOf({ tls: CERT, listen: ["tcp://b:1", "tcp://0.0.0.0:1234"], pools })).toEqual([problem]);
    expect(problemsOf({ tls: CERT, listen: "tcp://b:1", pools })).toEqual([]);
  });

  test("and a pool may both take a free port", () => {
    const pools = { a: named("a.example"), b: pool(0) };
    expect(problemsOf({ tls: CERT, listen: "tcp://0.0.0.0:0", pools })).toEqual([]);
  });
});

describe("what is refused", () => {
  test("a name that is none", () => {
    const long = "a".repeat(64);
    expect(problemsOf({ pools: { "": pool(1), Amd64: pool(2), "a.b": pool(3), [long]: pool(4) } })).toEqual(
      ['""', "Amd64", "a.b", long].map(
        (name) => `pools.${name}: not a pool name: "${name.replaceAll('"', "")}" (1 to 63 of a-z, 0-9 and "-")`,
      ),
    );
  });

  test("a name that JavaScript keeps for itself, rather than to drop the pool", () => {
    const problem = 'pools.__proto__: not a pool name: "__proto__" (1 to 63 of a-z, 0-9 and "-")';
    expect(problemsOf({ pools: Object.fromEntries([["__proto__", pool(1)]]) })).toEqual([problem]);
    expect(
      problemsOf({
        pools: Object.fromEntries([
          ["a", pool(1)],
          ["__proto__", 5],
        ]),
      }),
    ).toEqual([problem]);
    expect(configOf({ pools: { constructor: pool(1) } }).pools).toHaveProperty("constructor");
  });

  test.each([5, "a", [], ["a"]])("%j in place of a map", (pools) => {
    expect(problemsOf({ replicas: ["tcp://a:1"], pools })[0]).toBe(
      "pools: not a map of pools (write a name, and its keys below it)",
    );
  });

  test("a pool without a way in or without replicas", () => {
    const needsWay = "a pool needs listen, servernames, or a rule of policy that sends builds there";
    expect(problemsOf({ pools: { a: null, b: { listen: "tcp://b:1" }, c: { replicas: "tcp://a:1" } } })).toEqual([
      "pools.a.replicas: a pool needs replicas, replicasDns or replicasService",
      "pools.b.replicas: a pool needs replicas, replicasDns or replicasService",
      `pools.a.listen: ${needsWay}`,
      `pools.c.listen: ${needsWay}`,
    ]);
  });

  test("replicas outside the pools, beside all that is wrong in them", () => {
    expect(problemsOf({ replicas: ["tcp://a:1"], pools: { a: pool(1, { maxBuilds: "many" }) } })).toEqual([
      'pools.a.maxBuilds: not a whole number: "many"',
      "replicas: with pools, each replica belongs in a pool",
    ]);
  });

  test("servernames without tls, be it off or not there", () => {
    const pools = { a: named("a.example") };
    expect(problemsOf({ pools })).toEqual(["pools.a.servernames: need tls"]);
    expect(problemsOf({ tls: { ...CERT, mode: "off" }, pools })).toEqual(["pools.a.servernames: need tls"]);
  });

  test("one address for two pools", () => {
    expect(problemsOf({ pools: { a: pool(1), b: pool(2, { listen: ["tcp://b:2", "tcp://0.0.0.0:1"] }) } })).toEqual([
      "pools.b.listen[1]: address tcp://0.0.0.0:1 is pool a's",
    ]);
    expect(problemsOf({ pools: { a: pool(0), b: pool(0) } })).toEqual([]);
  });

  test("one servername for two pools, however it is written", () => {
    const pools = { a: named("x.example", "*.example"), b: named("X.Example"), c: named("*.EXAMPLE") };
    expect(problemsOf({ tls: CERT, pools })).toEqual([
      'pools.b.servernames[0]: name "x.example" is pool a\'s',
      'pools.c.servernames[0]: name "*.example" is pool a\'s',
    ]);
    expect(problemsOf({ tls: CERT, pools: { a: named("x.example", "X.example") } })).toEqual([
      'pools.a.servernames[1]: name "x.example" is given twice',
    ]);
  });

  test.each(["", "a..b", "*", "*a.example", "a.*.example", "a.example.", "a b", "-a", 5, `${"a.".repeat(127)}a`])(
    "the servername %j",
    (servername) => {
      const pools = { a: { ...named(), servernames: [servername] } };
      expect(problemsOf({ tls: CERT, pools })).toEqual([
        expect.stringMatching(/^pools\.a\.servernames\[0\]: not a server name: "/),
      ]);
    },
  );

  test("an address as a servername, which no TLS client sends", () => {
    expect(problemsOf({ tls: CERT, pools: { a: named("10.0.0.1") } })).toEqual([
      'pools.a.servernames[0]: an address, which TLS clients never ask for by name: "10.0.0.1"',
    ]);
  });
});
