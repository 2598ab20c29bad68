import { readBoundedNow } from "../base/bounded-file.ts";
import { KNOWN_RPCS } from "../buildkit/rpc-name.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { CONFIG_FLAG, CONFIG_VARIABLE } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import { policyOf } from "../configured-policy.ts";
import type { Caller } from "../identity/caller.ts";
import { allowsRpc, type PolicyRule, type RuledRpc } from "../identity/policy.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";
import { formatTable } from "./table.ts";

/** `buildkit-gateway policy check`: what a caller may do by a configuration. */
export const policyCommand: Command = {
  name: "policy",
  summary: "Show what a caller may do by the rules of a configuration.",
  help: policyHelp,
  run: policy,
};

/** Flags that say who calls, each with what it is of a caller's. */
const CALLER_FLAGS: readonly (readonly [flag: string, key: Exclude<keyof Caller, "certificateNames">])[] = [
  ["--namespace", "namespace"],
  ["--workload", "workload"],
  ["--repository", "repository"],
  ["--workflow", "workflow"],
];

const CERTIFICATE_FLAG = "--certificate";

const FLAGS: readonly KnownFlag[] = [
  { flag: CONFIG_FLAG, isRepeatable: false },
  { flag: CERTIFICATE_FLAG, isRepeatable: true },
  ...CALLER_FLAGS.map(([flag]) => ({ flag, isRepeatable: false })),
  { flag: "--json", isRepeatable: false, isSwitch: true },
];

async function policy(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, operands, problems } = readArguments(argv, FLAGS, 1);
  const faults = operands[0] === "check" ? [] : [{ subject: "", message: `write ${PROGRAM} policy check` }];
  if (problems.length + faults.length > 0) {
    context.complain(describeProblems([...faults, ...problems], "command line"));
    return ExitStatus.USAGE;
  }
  const file = values.get(CONFIG_FLAG)?.[0];
  const loaded = loadConfig({
    argv: file === undefined ? [] : [CONFIG_FLAG, file],
    env: context.env,
    readFile: readBoundedNow,
  });
  if (loaded.t === "invalid") {
    context.complain(describeProblems(loaded.problems, "configuration"));
    return ExitStatus.USAGE;
  }
  const rule = policyOf(loaded.config)?.ruleFor(readCaller(values));
  const answer = describeRule(rule);
  context.print(values.has("--json") ? `${JSON.stringify(answer, null, 2)}\n` : formatAnswer(answer));
  return ExitStatus.OK;
}

function readCaller(values: ReadonlyMap<string, readonly string[]>): Caller {
  const texts = CALLER_FLAGS.flatMap(([flag, key]) => {
    const text = values.get(flag)?.[0];
    return text === undefined ? [] : [[key, text] as const];
  });
  const certificateNames = values.get(CERTIFICATE_FLAG);
  return { ...Object.fromEntries(texts), ...(certificateNames && { certificateNames }) };
}

/** What a caller may do. */
interface PolicyAnswer {
  /** The rule that counts; null: none is for this caller. */
  readonly rule: string | null;
  readonly allowed: readonly string[];
  readonly refused: readonly string[];
  /** Patterns of what may be asked for; null: all that the replicas grant. */
  readonly entitlements: readonly string[] | null;
  /** Builds at once; null: any number. */
  readonly maxBuilds: number | null;
  /** Pools that may be used; null: all. */
  readonly pools: readonly string[] | null;
  /** Pool that the builds go to; null: as their client asks. */
  readonly pool: string | null;
}

function describeRule(rule: PolicyRule | undefined): PolicyAnswer {
  const { allowed, refused } = sortRpcs((rpc) => rule === undefined || allowsRpc(rule, rpc));
  return {
    rule: rule?.name ?? null,
    allowed,
    refused,
    entitlements: rule?.entitlements ?? null,
    maxBuilds: rule?.maxBuilds || null,
    pools: rule?.pools ?? null,
    pool: rule?.pool ?? null,
  };
}

/** RPCs by whether they are allowed: by name where all that it stands for is alike, else by path. */
function sortRpcs(isAllowed: (rpc: RuledRpc) => boolean): { allowed: string[]; refused: string[] } {
  const allowed: string[] = [];
  const refused: string[] = [];
  for (const [name, paths] of KNOWN_RPCS) {
    const yes = paths.filter((path) => isAllowed({ name, path }));
    const no = paths.filter((path) => !yes.includes(path));
    allowed.push(...(no.length === 0 ? [name] : yes));
    refused.push(...(yes.length === 0 ? [name] : no));
  }
  return { allowed, refused };
}

function formatAnswer({ rule, allowed, refused, entitlements, maxBuilds, pools, pool }: PolicyAnswer): string {
  const listed = (names: readonly string[]) => (names.length === 0 ? "none" : names.join(", "));
  const usable = pool === null ? (pools === null ? "all" : listed(pools)) : `all builds go to ${pool}`;
  return formatTable(
    ["RULE", rule ?? "none: everything is allowed"],
    [
      ["allowed", listed(allowed)],
      ["refused", listed(refused)],
      ["entitlements", entitlements === null ? "all that the replicas grant" : listed(entitlements)],
      ["builds at once", maxBuilds === null ? "any number" : String(maxBuilds)],
      ["pools", usable],
    ],
  );
}

function policyHelp(): string {
  return [
    `Usage: ${PROGRAM} policy check --config FILE [flags]`,
    "",
    "Show the rule of the configuration's policy that counts for a caller, and what it allows.",
    "",
    "Flags:",
    helpRows([
      { term: `${CONFIG_FLAG} FILE`, lines: ["The gateway's configuration.", `env ${CONFIG_VARIABLE}`] },
      { term: `${CERTIFICATE_FLAG} NAME`, lines: ["A name of its certificate: cn:…, uri:…, dns:…; repeatable."] },
      { term: "--namespace NAME", lines: ["Namespace of its pod."] },
      { term: "--workload NAME", lines: ["What its pod is one of."] },
      { term: "--repository NAME", lines: ["Repository of its job: github.com/acme/app."] },
      { term: "--workflow NAME", lines: ["Workflow of its job: acme/app/.github/workflows/ci.yml@refs/heads/main."] },
      { term: "--json", lines: ["Print the answer as JSON."] },
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Exit status: 0 shown; 2 wrong command line or configuration.",
    "",
  ].join("\n");
}
