import { z } from "zod";
import type { Address } from "../base/address.ts";
import { systemClock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { printable } from "../base/printable.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { duration } from "../config/value-types.ts";
import { type AdminAnswer, askAdmin, formatAdmin } from "./admin-client.ts";
import { adminFlag, adminHelp, adminTargets, adminToken, TOKEN_FILE_FLAG, TOKEN_FILE_HELP } from "./admin-flags.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { helpRows } from "./help.ts";

/** `buildkit-gateway drain`: keep new builds away from a replica, and wait for those that run. */
export const drainCommand: Command = {
  name: "drain",
  summary: "Keep new builds away from a replica, and wait until it may be stopped.",
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

/** Longest wait that a gateway takes. */
const MAX_WAIT_MS = 86_400_000;

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

type DrainedReplica = z.output<typeof replicaSchema>;

/** What is asked of every gateway. */
interface DrainRequest {
  readonly name: string;
  readonly pool: string | undefined;
  readonly isUndo: boolean;
  /** How long to wait until it may be stopped. Absent: not at all. */
  readonly waitMs: number | undefined;
  readonly token: string | undefined;
}

async function drain(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, operands, problems: faults } = readArguments(argv, FLAGS, 1);
  const { targets, problems: targetFaults } = adminTargets(values, context.env);
  const isTokenUsed = targets.some(({ t }) => t === "tcp");
  const { token, problems: tokenFaults } = isTokenUsed
    ? adminToken(values, context.env)
    : { token: undefined, problems: [] };
  const isUndo = values.has("--undo");
  const { waitMs, problems: waitFaults } = readWait(values.get("--wait")?.[0], isUndo);
  const problems = [...faults, ...waitFaults, ...targetFaults, ...tokenFaults];
  const [name] = operands;
  if (!name && faults.length === 0) {
    problems.push({ subject: "", message: `no replica given: ${PROGRAM} drain NAME` });
  }
  if (!name || problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const request: DrainRequest = { name, pool: values.get("--pool")?.[0], isUndo, waitMs, token };
  const outcomes = await Promise.all(targets.map((target) => drainAt(target, request, context)));
  return outcomes.every(Boolean) ? ExitStatus.OK : ExitStatus.FAILED;
}

function readWait(
  text: string | undefined,
  isUndo: boolean,
): { readonly waitMs: number | undefined; readonly problems: readonly Problem[] } {
  if (text === undefined) return { waitMs: undefined, problems: [] };
  const fault = (message: string) => ({ waitMs: undefined, problems: [{ subject: "--wait", message }] });
  if (isUndo) return fault("there is nothing to wait for with --undo");
  const read = duration({ max: MAX_WAIT_MS }).safeParse(text);
  return read.success ? { waitMs: read.data, problems: [] } : fault(read.error.issues[0]!.message);
}

/** Drain at one gateway, and tell how that went; resolves with whether it did. */
async function drainAt(target: Address, request: DrainRequest, context: CommandContext): Promise<boolean> {
  const { name, pool, isUndo, waitMs, token } = request;
  const ask = async (method: string, query: Record<string, string>, timeoutMs: number): Promise<DrainedReplica> => {
    const search = new URLSearchParams({ ...query, ...(pool !== undefined && { pool }) }).toString();
    const path = `/drain/${encodeURIComponent(name)}${search && `?${search}`}`;
    return readReplica(await askAdmin(target, { method, path, timeoutMs, token }, systemClock));
  };
  const tell = (text: string): void => context.print(`${formatAdmin(target)}: ${text}\n`);
  try {
    const changed = await ask(isUndo ? "DELETE" : "POST", {}, ANSWER_TIMEOUT_MS);
    if (isUndo) tell(describeUndone(changed));
    else if (waitMs === undefined) tell(describeReplica(changed));
    else {
      // The change is answered at once, though a client may still want what its build made: only the wait tells.
      tell(describeLoad(changed));
      const wait = formatDuration(waitMs);
      tell(describeReplica(checkWaited(await ask("GET", { wait }, waitMs + ANSWER_TIMEOUT_MS))));
    }
    return true;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${formatAdmin(target)}: ${(reason as Error).message}\n`);
    return false;
  }
}

function readReplica({ status, body }: AdminAnswer): DrainedReplica {
  const fault = faultSchema.safeParse(body);
  if (status !== 200 && fault.success) throw new Error(printable(fault.data.error, MAX_SHOWN_CHARACTERS));
  const replica = replicaSchema.safeParse(body);
  if (status === 200 && replica.success) return replica.data;
  throw new Error(`not an answer of a gateway's admin port: ${status}`);
}

/** The replica that was waited for, unless it takes builds again. */
function checkWaited(replica: DrainedReplica): DrainedReplica {
  if (replica.state !== "ready") return replica;
  throw new Error(`${printable(replica.replica, MAX_SHOWN_CHARACTERS)} was let back meanwhile (state: ready)`);
}

function describeReplica(replica: DrainedReplica): string {
  return replica.isDrained ? `${printable(replica.replica, MAX_SHOWN_CHARACTERS)} is drained` : describeLoad(replica);
}

function describeLoad({ replica, state, running }: DrainedReplica): string {
  const builds = running === 1 ? "1 build runs" : `${running === 0 ? "no" : running} builds run`;
  return `${printable(replica, MAX_SHOWN_CHARACTERS)} is ${printable(state, MAX_SHOWN_CHARACTERS)}, ${builds}`;
}

/** It may have to be checked before it takes builds. */
function describeUndone({ replica, state }: DrainedReplica): string {
  return `${printable(replica, MAX_SHOWN_CHARACTERS)} is let back (state: ${printable(state, MAX_SHOWN_CHARACTERS)})`;
}

const WAIT_HELP =
  "Wait until it may be stopped: it runs no build, and no client asks it for anything any more. " +
  `At most this long, up to ${formatDuration(MAX_WAIT_MS)}.`;

function drainHelp(): string {
  return [
    `Usage: ${PROGRAM} drain NAME [--undo | --wait DURATION] [--admin HOST:PORT …] [flags]`,
    "",
    "Keep new builds away from a replica. Its running builds end undisturbed, and those that were",
    "going to it are placed elsewhere. NAME is its name, by default host:port; explain lists them.",
    "",
    "Flags:",
    helpRows([
      { term: "--undo", lines: ["Let it take builds again, once it has been checked."] },
      { term: "--wait DURATION", lines: [WAIT_HELP] },
      { term: "--pool POOL", lines: ["Its pool, where several have a replica of that name."] },
      adminHelp(true),
      TOKEN_FILE_HELP,
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Each gateway drains for itself, and forgets it when it restarts: name all gateways of the fleet.",
    "",
    "Exit status: 0 done at all of them; 1 failed at one, or --wait was too short; 2 wrong command",
    "line, nothing was changed.",
    "",
  ].join("\n");
}
