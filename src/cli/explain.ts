import { z } from "zod";
import { systemClock } from "../base/clock.ts";
import { printable } from "../base/printable.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { askAdmin, formatAdmin } from "./admin-client.ts";
import { adminFlag, adminHelp, adminTargets } from "./admin-flags.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";
import { formatTable } from "./table.ts";

/** `buildkit-gateway explain`: where a build would go now, and why. */
export const explainCommand: Command = {
  name: "explain",
  summary: "Show where a build would go now, and why.",
  help: explainHelp,
  run: explain,
};

/** Flags that are parameters of the question under the same name. */
const PARAMETER_FLAGS = ["--repo", "--directory", "--image", "--key", "--pool"];

const FLAGS: readonly KnownFlag[] = [
  ...PARAMETER_FLAGS.map((flag) => ({ flag, isRepeatable: false })),
  { flag: "--json", isRepeatable: false, isSwitch: true },
  adminFlag(false),
];

const ANSWER_TIMEOUT_MS = 10_000;

/** Longest text of a gateway's that is shown. */
const MAX_SHOWN_CHARACTERS = 600;

const text = z.string().transform((given) => printable(given, MAX_SHOWN_CHARACTERS));

/** What a gateway answers. */
const answerSchema = z.object({
  pools: z.array(
    z.object({
      pool: text,
      key: text.nullable(),
      decision: z.object({ text }),
      replicas: z.array(
        z.object({
          replica: text,
          rank: z.number(),
          state: text,
          running: z.number(),
          maxBuilds: z.number(),
          isWarm: z.boolean(),
          verdict: text,
        }),
      ),
    }),
  ),
});

type Explained = z.output<typeof answerSchema>["pools"][number];

/** What a gateway answers instead. */
const faultSchema = z.object({ error: text });

async function explain(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { targets, problems: targetFaults } = adminTargets(values, context.env);
  const problems = [...faults, ...targetFaults];
  const [target] = targets;
  if (target === undefined || problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const question = new URLSearchParams();
  for (const flag of PARAMETER_FLAGS) {
    for (const value of values.get(flag) ?? []) question.set(flag.slice(2), value);
  }
  const path = `/explain?${question}`;
  try {
    const { status, body } = await askAdmin(target, { method: "GET", path, timeoutMs: ANSWER_TIMEOUT_MS }, systemClock);
    const fault = faultSchema.safeParse(body);
    if (status !== 200 && fault.success) throw new Error(fault.data.error);
    const answer = answerSchema.safeParse(body);
    if (!answer.success) throw new Error(`not an answer of a gateway's admin port: ${status}`);
    context.print(values.has("--json") ? `${JSON.stringify(body, null, 2)}\n` : describePools(answer.data.pools));
    return ExitStatus.OK;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${formatAdmin(target)}: ${(reason as Error).message}\n`);
    return ExitStatus.FAILED;
  }
}

function describePools(pools: readonly Explained[]): string {
  return pools.map((pool) => describePool(pool, pools.length > 1)).join("\n");
}

function describePool({ pool, key, decision, replicas }: Explained, isNamed: boolean): string {
  const facts = `${isNamed ? `pool      ${pool}\n` : ""}key       ${key ?? "none"}\ndecision  ${decision.text}\n`;
  if (replicas.length === 0) return facts;
  const rows = replicas.map(({ replica, rank, state, running, maxBuilds, isWarm, verdict }) => [
    String(rank),
    replica,
    state,
    maxBuilds === 0 ? String(running) : `${running}/${maxBuilds}`,
    isWarm ? "yes" : "no",
    verdict,
  ]);
  return [facts, formatTable(["RANK", "REPLICA", "STATE", "BUILDS", "WARM", "VERDICT"], rows)].join("\n");
}

function explainHelp(): string {
  return [
    `Usage: ${PROGRAM} explain [--repo URL [--directory DIR]] [--image NAME] [flags]`,
    "",
    "Show the key of a build, where it would go now, and how every replica stands to it.",
    "",
    "Flags:",
    helpRows([
      { term: "--repo URL", lines: ["Git remote that is built, in any spelling."] },
      { term: "--directory DIR", lines: ["Directory of the build context in it."] },
      { term: "--image NAME", lines: ["Name of the image that is built."] },
      { term: "--key KEY", lines: ["The key itself, in place of what it is made from."] },
      { term: "--pool POOL", lines: ["Only this pool."] },
      { term: "--json", lines: ["Print the gateway's answer as JSON."] },
      adminHelp(false),
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Exit status: 0 explained; 1 the gateway could not be asked, or refused; 2 wrong command line.",
    "",
  ].join("\n");
}
