import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runProgram } from "./run-program.ts";

const CONFIG = `
replicas: [tcp://a:1]
policy:
  forks:
    workflows: ["*@refs/pull/*"]
    refuse: [Prune, UpdateBuildHistory.Delete]
    entitlements: []
    maxBuilds: 2
  runners:
    certificates: [cn:runner-*]
    allow: [Solve, Status, Session, LLBBridge, ListWorkers, Info]
`;

function configFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "bkg-policy-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "gateway.yaml");
  writeFileSync(path, text);
  return path;
}

test("a caller's rule is shown with what it allows", async () => {
  const config = configFile(CONFIG);
  const { status, out } = await runProgram([
    "policy",
    "check",
    "--config",
    config,
    "--workflow",
    "a@refs/pull/7/merge",
  ]);
  expect(status).toBe(0);
  expect(out.split("\n")).toEqual([
    "RULE            forks",
    expect.stringMatching(/^allowed {9}Solve, Status, .*UpdateBuildHistory\.Pin, /),
    "refused         Prune, UpdateBuildHistory.Delete",
    "entitlements    none",
    "builds at once  2",
    "pools           all",
    "",
  ]);
});

test("by JSON, too, and for any name of a certificate", async () => {
  const config = configFile(CONFIG);
  const argv = [
    "policy",
    "check",
    "--json",
    "--config",
    config,
    "--certificate",
    "uri:x",
    "--certificate",
    "cn:runner-1",
  ];
  const { out } = await runProgram(argv);
  expect(JSON.parse(out)).toMatchObject({
    rule: "runners",
    allowed: ["Solve", "Status", "Session", "ListWorkers", "Info", "LLBBridge"],
    entitlements: null,
    maxBuilds: null,
  });
});

test("for whom no rule is, everything is allowed", async () => {
  const { out } = await runProgram([
    "policy",
    "check",
    "--config",
    configFile(CONFIG),
    "--repository",
    "github.com/a/b",
  ]);
  expect(out).toMatch(/^RULE +none: everything is allowed\n/);
  expect(out).toMatch(/\nrefused +none\n/);
});

test("what is wrong is said, with exit status 2", async () => {
  const wrong = configFile("replicas: [tcp://a:1]\npolicy:\n  1st: {}\n  a:\n    refuse: [Prunes]\n    pool: x\n");
  const { status, err } = await runProgram(["policy", "check", "--config", wrong]);
  expect(status).toBe(2);
  expect(err).toContain("policy.1st");
  expect(err).toContain('not a rule name: "1st"');
  expect(err).toContain("policy.a.refuse[0]");
  expect((await runProgram(["policy"])).err).toContain("write buildkit-gateway policy check");
});

test("and of a service's methods that are not alike by their paths", async () => {
  const config = configFile("replicas: [tcp://a:1]\npolicy:\n  all:\n    refuse: [/grpc.health.v1.Health/Watch]\n");
  const { out } = await runProgram(["policy", "check", "--json", "--config", config]);
  const { allowed, refused } = JSON.parse(out);
  expect(allowed).toEqual(expect.arrayContaining(["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List"]));
  expect(refused).toEqual(["/grpc.health.v1.Health/Watch"]);
});

test.each([
  [["--namespace=arc-runners"], "others"],
  [["--namespace=arc-runners", "--workflow=acme/app/.github/workflows/ci.yml@refs/heads/main"], "runners"],
  [["--namespace=arc-runners", "--workflow=acme/app/.github/workflows/ci.yml@refs/pull/7/merge"], "pull-requests"],
  [["--certificate=cn:operator-1"], "operators"],
])("the documented policy gives %j the rule %s", async (flags, rule) => {
  const document = readFileSync("docs/policy.md", "utf8");
  const config = configFile(/```yaml\n(.*?)```/s.exec(document)![1]!);
  const { status, out } = await runProgram(["policy", "check", "--config", config, "--json", ...flags]);
  expect(status).toBe(0);
  expect(JSON.parse(out).rule).toBe(rule);
});

test("each method of a service counts: one that is refused by its path is shown", async () => {
  const path = "/moby.buildkit.v1.frontend.LLBBridge/ReadFileContainer";
  const config = configFile(`replicas: [tcp://a:1]\npolicy: { all: { refuse: [${path}] } }\n`);
  const { out } = await runProgram(["policy", "check", "--config", config, "--json"]);
  const { allowed, refused } = JSON.parse(out);
  expect(refused).toEqual([path]);
  expect(allowed).not.toContain("LLBBridge");
});
