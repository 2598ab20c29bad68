import { z } from "zod";
import type { Address } from "../base/address.ts";
import { systemClock } from "../base/clock.ts";
import { parseDuration } from "../base/duration.ts";
import { printable } from "../base/printable.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { type AdminAnswer, askAdmin, formatAdmin } from "./admin-client.ts";
import { adminFlag, adminHelp, adminTargets, adminToken, TOKEN_FILE_FLAG, TOKEN_FILE_HELP } from "./admin-flags.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";

/** `buildkit-gateway drain`: keep new builds away from a replica, and wait for those that run. */
export const drainCommand: Command = {
  name: "drain",
  summary: "Keep new builds away from a replica, and wait until it is idle.",
  help: drainHelp,
  run: drain,
};

const FLAGS: readonly KnownFlag[] = [
  { flag: "--undo", isRepeatable: false, isSwitch: true },
  { flag: "--wait", isRepeatable: false },
  { flag: "--pool", isRepeatable: false },
  adminFlag(true),
  TOKEN_FILE_FLAG,
];

/** Time that an answer may take beyond what it was asked to wait. */
const ANSWER_TIMEOUT_MS = 10_000;

/** Longest text of a gateway's that is shown. */
const MAX_SHOWN_CHARACTERS = 300;

/** What a gateway says of a replica. */
const replicaSchema = z.object({
  replica: z.string(),
  state: z.string(),
  running: z.number(),
  isDrained: z.boolean(),
});

/** What a gateway says instead. */
const faultSchema = z.object({ error: z.string() });

/** What is asked of every gateway. */
interface DrainRequest {
  readonly name: string;
  readonly pool: string | undefined;
  readonly isUndo: boolean;
  /** As it was written. Absent: not at all. */
  readonly wait: string | undefined;
  readonly token: string | undefined;
}

async function drain(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, operands, problems: faults } = readArguments(argv, FLAGS, 1);
  const { targets, problems: targetFaults } = adminTargets(values, context.env);
  const isTokenUsed = targets.some(({ t }) => t === "tcp");
  const { token, problems: tokenFaults } = isTokenUsed
    ? adminToken(values, context.env)
    : { token: undefined, problems: [] };
  const wait = values.get("--wait")?.[0];
  const isUndo = values.has("--undo");
  const problems = [...faults, ...checkWait(wait, isUndo), ...targetFaults, ...tokenFaults];
  const [name] = operands;
  if (name === undefined && faults.length === 0) {
    problems.push({ subject: "", message: `no replica given: ${PROGRAM} drain NAME` });
  }
  if (name === undefined || problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const request: DrainRequest = { name, pool: values.get("--pool")?.[0], isUndo, wait, token };
  const outcomes = await Promise.all(targets.map((target) => drainAt(target, request, context)));
  return outcomes.every(Boolean) ? ExitStatus.OK : ExitStatus.FAILED;
}

function checkWait(wait: string | undefined, isUndo: boolean): Problem[] {
  if (wait === undefined) return [];
  if (isUndo) return [{ subject: "--wait", message: "there is nothing to wait for with --undo" }];
  try {
    parseDuration(wait);
    return [];
  } catch (reason) {
    return [{ subject: "--wait", message: (reason as Error).message }];
  }
}

/** Drain at one gateway, and tell how that went; resolves with whether it did. */
async function drainAt(target: Address, request: DrainRequest, context: CommandContext): Promise<boolean> {
  const { name, pool, isUndo, wait, token } = request;
  const ask = async (method: string, query: Record<string, string>, waitMs: number): Promise<AdminAnswer> => {
    const search = new URLSearchParams({ ...query, ...(pool !== undefined && { pool }) }).toString();
    const path = `/drain/${encodeURIComponent(name)}${search && `?${search}`}`;
    return askAdmin(target, { method, path, timeoutMs: waitMs + ANSWER_TIMEOUT_MS, token }, systemClock);
  };
  const tell = (answer: AdminAnswer): z.output<typeof replicaSchema> => {
    const replica = readReplica(answer);
    context.print(`${formatAdmin(target)}: ${isUndo ? describeUndone(replica) : describeReplica(replica)}\n`);
    return replica;
  };
  try {
    const { isDrained } = tell(await ask(isUndo ? "DELETE" : "POST", {}, 0));
    if (wait !== undefined && !isDrained) tell(await ask("GET", { wait }, parseDuration(wait)));
    return true;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${formatAdmin(target)}: ${(reason as Error).message}\n`);
    return false;
  }
}

function readReplica({ status, body }: AdminAnswer): z.output<typeof replicaSchema> {
  const fault = faultSchema.safeParse(body);
  if (status !== 200 && fault.success) throw new Error(printable(fault.data.error, MAX_SHOWN_CHARACTERS));
  const replica = replicaSchema.safeParse(body);
  if (status === 200 && replica.success) return replica.data;
  throw new Error(`not an answer of a gateway's admin port: ${status}`);
}

function describeReplica({ replica, state, running, isDrained }: z.output<typeof replicaSchema>): string {
  const name = printable(replica, MAX_SHOWN_CHARACTERS);
  if (isDrained) return `${name} is drained`;
  const builds = running === 1 ? "1 build runs" : `${running} builds run`;
  return `${name} is ${printable(state, MAX_SHOWN_CHARACTERS)}, ${builds}`;
}

/** It may have to be checked before it takes builds. */
function describeUndone({ replica, state }: z.output<typeof replicaSchema>): string {
  return `${printable(replica, MAX_SHOWN_CHARACTERS)} is let back (state: ${printable(state, MAX_SHOWN_CHARACTERS)})`;
}

function drainHelp(): string {
  return [
    `Usage: ${PROGRAM} drain NAME [--undo | --wait DURATION] [--admin HOST:PORT …] [flags]`,
    "",
    "Keep new builds away from a replica. Its running builds end undisturbed, and those that were",
    "going to it are placed elsewhere.",
    "",
    "Flags:",
    helpRows([
      { term: "--undo", lines: ["Let it take builds again, once it has been checked."] },
      { term: "--wait DURATION", lines: ["Wait until it runs no build, at most this long (up to 24h)."] },
      { term: "--pool POOL", lines: ["Its pool, where several have a replica of that name."] },
      adminHelp(true),
      TOKEN_FILE_HELP,
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Each gateway drains for itself: name them all. One line tells of each.",
    "",
    "Exit status: 0 done at all of them; 1 failed at one, or builds still run; 2 wrong command line.",
    "",
  ].join("\n");
}
