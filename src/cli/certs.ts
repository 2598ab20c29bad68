import { existsSync } from "node:fs";
import { readBoundedNow } from "../base/bounded-file.ts";
import { systemClock } from "../base/clock.ts";
import { errorText, systemErrorText } from "../base/system-error.ts";
import type { AuthorityOutcome, KeyPair } from "../trust/certificate-authority.ts";
import { type AuthoritySource, type CertsPlan, readCertsArguments } from "./certs-arguments.ts";
import { certsHelp } from "./certs-help.ts";
import {
  certificateFiles,
  certificateSecrets,
  type MadeCertificates,
  missingFiles,
  type OutputFile,
  secretsFile,
  writeOutput,
} from "./certs-output.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { formatTable } from "./table.ts";

/** `buildkit-gateway certs`: certificates for mutual TLS, for those who have nothing that makes them. */
export const certsCommand: Command = {
  name: "certs",
  summary: "Make an authority, and certificates for gateways, replicas and runners.",
  help: certsHelp,
  run: certs,
};

/** Largest file of an authority that is read. */
const MAX_AUTHORITY_BYTES = 2 ** 20;

/** A certificate holds from a little earlier, for machines whose clocks are late. */
const BACKDATE_MS = 3_600_000;

const DAY_MS = 86_400_000;

async function certs(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { plan, problems } = readCertsArguments(argv);
  if (problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  try {
    await run(plan, context);
    return ExitStatus.OK;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${describe(reason as Error)}\n`);
    return ExitStatus.FAILED;
  }
}

async function run(plan: CertsPlan, context: CommandContext): Promise<void> {
  const made = await make(plan);
  const { output } = plan;
  if (output.t === "files") {
    await write(certificateFiles(output.folder, made), plan.isForced);
    context.print(describeMade(made, output.folder));
    return;
  }
  const secrets = certificateSecrets(output, made);
  if (output.file === undefined) context.print(secrets);
  else {
    await write([secretsFile(output.file, secrets)], plan.isForced);
    context.print(describeMade(made, output.file));
  }
}

async function make({ authority: source, requests, keyType, days }: CertsPlan): Promise<MadeCertificates> {
  // Loaded only now: no other command needs an encoder of certificates.
  const { createAuthority, readAuthority } = await import("../trust/certificate-authority.ts");
  const now = systemClock.wallTime();
  const lifeOf = (lifeDays: number) => ({
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + lifeDays * DAY_MS),
  });
  const { authority, pair } =
    source.t === "new"
      ? await createAuthority(source.name, keyType, lifeOf(source.days))
      : { authority: readExisting(source, now, readAuthority), pair: undefined };
  const issue = async (request: CertsPlan["requests"][number]) =>
    [request.name, await authority.issue(request, keyType, lifeOf(days))] as const;
  const pairs = new Map<string, KeyPair>(await Promise.all(requests.map(issue)));
  return { bundle: authority.bundle, authority: pair, pairs };
}

function readExisting(
  { certFile, keyFile }: AuthoritySource & { readonly t: "existing" },
  now: Date,
  readAuthority: (cert: Buffer, key: Buffer, now: Date) => AuthorityOutcome,
) {
  const outcome = readAuthority(readFile("--ca-cert", certFile), readFile("--ca-key", keyFile), now);
  if (outcome.t === "authority") return outcome.authority;
  const [flag, path] = outcome.file === "cert" ? ["--ca-cert", certFile] : ["--ca-key", keyFile];
  throw new Error(`${flag}: ${path}: ${outcome.reason}`);
}

function readFile(flag: string, path: string): Buffer {
  try {
    return readBoundedNow(path, MAX_AUTHORITY_BYTES);
  } catch (cause) {
    throw new Error(`${flag}: ${path}: ${errorText(cause)}`, { cause });
  }
}

/** Unless it is forced, nothing is written where one file would be overwritten. */
async function write(files: readonly OutputFile[], isForced: boolean): Promise<void> {
  const missing = missingFiles(files);
  const existing = missing.find(({ path }) => existsSync(path));
  if (existing && !isForced) {
    const ways = "--force replaces it; --ca-cert and --ca-key use an authority again";
    throw new Error(`${existing.path}: is there already, and nothing was written (${ways})`);
  }
  await writeOutput(missing, isForced);
}

/** One line; what the system says is of a file. */
function describe(reason: NodeJS.ErrnoException): string {
  const text = systemErrorText(reason);
  return text === undefined ? reason.message : `${reason.path}: ${text}`;
}

function describeMade({ authority, pairs }: MadeCertificates, where: string): string {
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const rows = [...pairs].map(([name, { notAfter }]) => [name, day(notAfter)]);
  if (authority) rows.unshift(["authority", day(authority.notAfter)]);
  return `${formatTable(["PAIR", "VALID UNTIL"], rows)}\nwritten to ${where}\n`;
}
