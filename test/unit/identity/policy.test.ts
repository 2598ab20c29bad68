import { describe, expect, test } from "vitest";
import { rpcName } from "../../../src/buildkit/rpc-name.ts";
import { allowsRpc, looksInto, Policy, type PolicyRule, refusedEntitlement } from "../../../src/identity/policy.ts";

const ANYBODY = { certificates: [], namespaces: [], workloads: [], repositories: [], workflows: [] };

function rule(parts: Partial<PolicyRule> = {}): PolicyRule {
  return {
    name: "rule",
    who: ANYBODY,
    allow: undefined,
    refuse: [],
    entitlements: undefined,
    maxBuilds: 0,
    pools: undefined,
    pool: undefined,
    ...parts,
  };
}

describe("a rule is for a caller", () => {
  const forks = { ...ANYBODY, repositories: ["github.com/acme/*"], workflows: ["*@refs/pull/*"] };

  test.each([
    [
      "who matches a pattern of every kind",
      forks,
      { repository: "github.com/acme/a", workflow: "x@refs/pull/7/merge" },
      true,
    ],
    ["not who matches one kind only", forks, { repository: "github.com/acme/a", workflow: "x@refs/heads/main" }, false],
    ["not of whom too little is known", forks, { repository: "github.com/acme/a" }, false],
    ["of any kind where it names none", ANYBODY, {}, true],
    [
      "by any name of its certificate",
      { ...ANYBODY, certificates: ["cn:a", "dns:b"] },
      { certificateNames: ["uri:x", "dns:b"] },
      true,
    ],
    [
      "by namespace and workload",
      { ...ANYBODY, namespaces: ["arc"], workloads: ["linux-*"] },
      { namespace: "arc", workload: "linux-1" },
      true,
    ],
    ["not without a certificate where it asks for one", { ...ANYBODY, certificates: ["*"] }, {}, false],
  ])("%s", (_case, who, caller, isFor) => {
    expect(new Policy([rule({ who })]).ruleFor(caller) !== undefined).toBe(isFor);
  });

  test("the first of several", () => {
    const policy = new Policy([
      rule({ name: "app", who: { ...ANYBODY, repositories: ["github.com/acme/app"] } }),
      rule({ name: "acme", who: { ...ANYBODY, repositories: ["github.com/acme/*"] } }),
    ]);
    expect(policy.ruleFor({ repository: "github.com/acme/app" })?.name).toBe("app");
    expect(policy.ruleFor({ repository: "github.com/acme/other" })?.name).toBe("acme");
    expect(policy.ruleFor({ repository: "github.com/else/x" })).toBeUndefined();
  });
});

describe("an RPC is allowed", () => {
  test.each([
    ["Prune", {}, true],
    ["Prune", { refuse: ["Prune"] }, false],
    ["DiskUsage", { refuse: ["Prune"] }, true],
    ["DiskUsage", { allow: ["Solve"] }, false],
    ["Solve", { allow: ["Solve"] }, true],
    ["Solve", { allow: ["*"], refuse: ["Solve"] }, false],
    ["UpdateBuildHistory.Delete", { refuse: ["UpdateBuildHistory"] }, false],
    ["UpdateBuildHistory.Delete", { refuse: ["UpdateBuildHistory.Delete"] }, false],
    ["UpdateBuildHistory.Pin", { refuse: ["UpdateBuildHistory.Delete"] }, true],
    ["UpdateBuildHistory", { refuse: ["UpdateBuildHistory.Delete"] }, true],
    ["UpdateBuildHistory", { allow: ["UpdateBuildHistory.Finalize"] }, true],
    ["UpdateBuildHistory.Finalize", { allow: ["UpdateBuildHistory.Finalize"] }, true],
    ["UpdateBuildHistory.Pin", { allow: ["UpdateBuildHistory.Finalize"] }, false],
    ["/other.Service/Method", { allow: ["Solve"] }, false],
    ["/other.Service/Method", { refuse: ["/other.Service/*"] }, false],
  ])("%s by %j: %s", (name, parts, isAllowed) => {
    const [method] = name.split(".");
    const path = name.startsWith("/") ? name : `/moby.buildkit.v1.Control/${method}`;
    expect(allowsRpc(rule(parts), { name, path })).toBe(isAllowed);
  });

  test.each([
    ["/moby.buildkit.v1.Control/Prune", { refuse: ["/moby.buildkit.v1.Control/Prune"] }, false],
    ["/moby.buildkit.v1.Control/Prune", { refuse: ["/moby.buildkit.v1.Control/*"] }, false],
    ["/moby.buildkit.v1.Control/Prune", { allow: ["/moby.buildkit.v1.Control/Pru*"] }, true],
    ["/moby.buildkit.v1.frontend.LLBBridge/Solve", { refuse: ["/*/Solve"] }, false],
    ["/moby.buildkit.v1.frontend.LLBBridge/Ping", { refuse: ["/*/Solve"] }, true],
    ["/moby.buildkit.v1.frontend.LLBBridge/Ping", { allow: ["LLBBridge"] }, true],
  ])("%s also by its path, by %j: %s", (path, parts, isAllowed) => {
    expect(allowsRpc(rule(parts), { name: rpcName(path), path })).toBe(isAllowed);
  });

  test("after a look into it only where a rule speaks of its parts", () => {
    expect(looksInto(rule({ refuse: ["UpdateBuildHistory.Delete"] }), "UpdateBuildHistory")).toBe(true);
    expect(looksInto(rule({ allow: ["UpdateBuildHistory.Pin"] }), "UpdateBuildHistory")).toBe(true);
    expect(looksInto(rule({ refuse: ["UpdateBuildHistory"] }), "UpdateBuildHistory")).toBe(false);
    expect(looksInto(rule({ refuse: ["Prune"] }), "UpdateBuildHistory")).toBe(false);
  });
});

describe("of the entitlements that a build asks for", () => {
  test.each([
    [undefined, ["security.insecure"], undefined],
    [[], [], undefined],
    [[], ["network.host"], "network.host"],
    [["network.host"], ["network.host", "security.insecure"], "security.insecure"],
    [["device"], ["device", "device=vendor.example/gpu"], undefined],
    [["device=vendor.example/*"], ["device=vendor.example/gpu"], undefined],
    [["device=vendor.example/*"], ["device"], "device"],
    [["*"], ["network.host"], undefined],
    [["net"], ["network.host"], "network.host"],
  ])("%j grants %j but for %s", (entitlements, asked, refused) => {
    expect(refusedEntitlement(rule({ entitlements }), asked)).toBe(refused);
  });
});
