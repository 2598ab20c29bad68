import type { z } from "zod";
import { namedSections } from "./named-sections.ts";
import { rpcList } from "./rpc-values.ts";
import { section } from "./structure.ts";
import { textList } from "./text-list.ts";
import { count, word } from "./value-types.ts";

/** What appears in messages and logs. A name of digits alone would lose its place in the order. */
const RULE_NAME = /^[A-Za-z][A-Za-z0-9._-]{0,62}$/;

function patterns(label: string, hint: string) {
  return textList(label, (text) => /^[^\s,]{1,512}$/.test(text), hint);
}

const ruleSchema = section(
  {
    certificates: patterns("name pattern", "write cn:fork-*, uri:spiffe://… or dns:…")
      .default([])
      .describe("For clients whose certificate has a matching name, as in `identity.trust`."),
    namespaces: patterns("namespace", "write arc-forks").default([]).describe("For pods of these namespaces."),
    workloads: patterns("name", "write linux-amd64")
      .default([])
      .describe("For pods that are one of these, by `identity.pods.labels`."),
    repositories: patterns("repository", "write github.com/acme/*")
      .default([])
      .describe("For jobs of these repositories: `github.com/acme/app`."),
    workflows: patterns("workflow", "write *@refs/pull/*")
      .default([])
      .describe("For jobs of these workflows: `acme/app/.github/workflows/ci.yml@refs/heads/main`."),
    allow: rpcList().optional().meta({
      description:
        "RPCs that alone may be called. A build needs Solve, Status, Session, LLBBridge, ListWorkers and Info.",
      defaultText: "all",
    }),
    refuse: rpcList()
      .default([])
      .describe(
        "RPCs that may not be called: a method of BuildKit's Control (`Prune`), a service (`Content`), a full path, or " +
          "`UpdateBuildHistory.Pin`, `.Delete` or `.Finalize`.",
      ),
    entitlements: patterns("entitlement", "write network.host")
      .optional()
      .meta({
        description:
          "Entitlements that a build may ask for, such as `network.host`, `security.insecure` or `device`. An empty list " +
          "allows none.",
        defaultText: "all that the replicas grant",
      }),
    maxBuilds: count()
      .default(0)
      .describe(
        "Builds that one caller may run at once, more wait: one repository, else one certificate, workload or address. " +
          "`0`: no limit.",
      ),
    pools: patterns("pool", "write the name of a pool")
      .optional()
      .meta({ description: "Pools that may be used.", defaultText: "all" }),
    pool: word("pool")
      .optional()
      .describe("Pool that the builds go to, whatever address or name the client has come by."),
  },
  ({ pool, pools }, report) => {
    if (pool !== undefined && pools !== undefined) report("pool", "stands beside pools: give one of them");
  },
);

/** `policy`: rules by name; the first that is for a caller counts. Absent: everything is allowed. */
export const policySchema = namedSections(ruleSchema, {
  pattern: RULE_NAME,
  noun: "rule",
  hint: 'a letter, then up to 62 letters, digits, ".", "_" and "-"',
});

/** Rules as configured, by name and in order. */
export type ConfiguredPolicy = z.output<typeof policySchema>;
