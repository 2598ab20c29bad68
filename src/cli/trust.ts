import { suggestion } from "../config/closest.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { helpRows } from "./help.ts";
import { TRUST_BUILD_HELP, trustBuild } from "./trust-build.ts";
import { TRUST_INJECT_HELP, trustInject } from "./trust-inject.ts";
import { TRUST_VERIFY_HELP, trustVerify } from "./trust-verify.ts";

/** `buildkit-gateway trust`: a private authority's certificates, compiled, made effective and verified. */
export const trustCommand: Command = {
  name: "trust",
  summary: "Compile a bundle of authorities, make it effective, and verify who trusts a registry.",
  help: trustHelp,
  run: trust,
};

const ACTIONS = { build: trustBuild, inject: trustInject, verify: trustVerify };

async function trust(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const [name, ...rest] = argv;
  const action = Object.entries(ACTIONS).find(([known]) => known === name)?.[1];
  if (action) return await action(rest, context);
  const names = Object.keys(ACTIONS);
  const message =
    name === undefined
      ? `trust what? (${names.join(", ")})`
      : `unknown: trust ${JSON.stringify(name)}${suggestion(name, names) || ` (${names.join(", ")})`}`;
  context.complain(`${PROGRAM}: ${message}\n`);
  return ExitStatus.USAGE;
}

function trustHelp(): string {
  return [
    `Usage: ${PROGRAM} trust build --source PATH … --out FILE [flags]`,
    `       ${PROGRAM} trust inject --for TARGET … --bundle FILE [flags]`,
    `       ${PROGRAM} trust verify --registry HOST … [flags]`,
    "",
    "Registries behind a private certificate authority: build compiles sources into one checked bundle,",
    "inject makes it effective for a daemon, a runner or build steps, verify connects and says who trusts what.",
    "",
    "trust build:",
    helpRows(TRUST_BUILD_HELP),
    "",
    "trust inject:",
    helpRows(TRUST_INJECT_HELP),
    "",
    "trust verify:",
    helpRows(TRUST_VERIFY_HELP),
    "",
    "Exit status: 0 done, or all legs trust all registries; 1 not, and then no file is half written;",
    "2 wrong command line.",
    "",
  ].join("\n");
}
