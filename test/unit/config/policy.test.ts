import { describe, expect, test } from "vitest";
import { KNOWN_RPCS, rpcName, UPDATE_HISTORY } from "../../../src/buildkit/rpc-name.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { formatProblem } from "../../../src/config/problem.ts";
import { POLICY_RPCS } from "../../../src/config/rpc-values.ts";

function problemsOf(tree: Record<string, unknown>): string[] {
  const file = JSON.stringify(tree);
  const result = loadConfig({ argv: ["--config", "x.json"], env: {}, readFile: () => Buffer.from(file) });
  return result.t === "loaded"
    ? []
    : result.problems.map((problem) => formatProblem({ ...problem, origin: undefined }));
}

const REPLICAS = { replicas: ["tcp://a:1"] };

test("a policy speaks of RPCs by the names that calls are known by", () => {
  expect(POLICY_RPCS).toEqual([...KNOWN_RPCS.keys()]);
  expect(rpcName("/moby.buildkit.v1.Control/Prune")).toBe("Prune");
  expect(rpcName("/moby.buildkit.v1.frontend.LLBBridge/Ping")).toBe("LLBBridge");
  expect(rpcName("/containerd.services.content.v1.Content/Info")).toBe("Content");
  expect(rpcName("/other.Service/Method")).toBe("/other.Service/Method");
  expect(rpcName(UPDATE_HISTORY)).toBe("UpdateBuildHistory");
});

describe("what is refused", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ refuse: ["prune"] }, 'policy.a.refuse[0]: not an RPC: "prune" (did you mean Prune?)'],
    [
      { allow: ["UpdateBuildHistory.Remove"] },
      'policy.a.allow[0]: not an RPC: "UpdateBuildHistory.Remove" (did you mean UpdateBuildHistory.Delete?)',
    ],
    [{ pool: "x" }, 'policy.a.pool: no such pool: "x"'],
    [{ pools: ["x"] }, 'policy.a.pools[0]: no such pool: "x"'],
    [{ pool: "x", pools: ["x"] }, "policy.a.pool: stands beside pools: give one of them"],
    [{ repository: ["x"] }, "policy.a.repository: unknown key (did you mean repositories?)"],
    [
      { refuse: ["everything"] },
      'policy.a.refuse[0]: not an RPC: "everything" (write Prune, UpdateBuildHistory.Delete or a full path)',
    ],
  ])("%j", (rule, problem) => {
    expect(problemsOf({ ...REPLICAS, policy: { a: rule } })).toContain(problem);
  });

  test("a name that would lose its place among the rules", () => {
    const hint = 'a letter, then up to 62 letters, digits, ".", "_" and "-"';
    expect(problemsOf({ ...REPLICAS, policy: { 7: {} } })).toEqual([`policy.7: not a rule name: "7" (${hint})`]);
  });
});

test("full paths and patterns are taken, and so is a pool that only a rule leads to", () => {
  const pools = { main: { listen: "tcp://b:1", ...REPLICAS }, forks: { replicas: ["tcp://c:1"] } };
  const policy = { a: { refuse: ["/other.Service/*", "*History*"], pool: "forks" } };
  expect(problemsOf({ pools, policy })).toEqual([]);
});
