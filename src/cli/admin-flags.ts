import type { Address } from "../base/address.ts";
import { readBoundedNow } from "../base/bounded-file.ts";
import { errorText } from "../base/system-error.ts";
import { adminAddress } from "../config/address-values.ts";
import type { KnownFlag } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { SETTINGS } from "../config/settings.ts";
import type { CommandContext } from "./command.ts";
import type { HelpRow } from "./help.ts";

const ADMIN = "--admin";
const TOKEN_FILE = "--token-file";

/** Longest token file that is read. */
const MAX_TOKEN_BYTES = 4_096;

/** Names the admin port of a gateway that runs with the same environment. */
export const ADMIN_VARIABLE = variableOf("admin.listen");
const TOKEN_VARIABLE = variableOf("admin.tokenFile");
const DEFAULT_ADMIN = "127.0.0.1:6060";

/** What a command line or an environment says, and where it says it. */
interface Given {
  readonly text: string;
  readonly origin: string;
}

/** `--admin`: which gateways to ask. */
export function adminFlag(isRepeatable: boolean): KnownFlag {
  return { flag: ADMIN, isRepeatable };
}

/** `--token-file`: what to prove with that one may change something. */
export const TOKEN_FILE_FLAG: KnownFlag = { flag: TOKEN_FILE, isRepeatable: false };

/** The help of `--admin`. */
export function adminHelp(isRepeatable: boolean): HelpRow {
  const repeated = isRepeatable ? "; repeatable, for all gateways of a fleet" : "";
  return {
    term: `${ADMIN} HOST:PORT`,
    lines: [
      "Admin port of the gateway, also unix:///path. 0.0.0.0 stands for this machine.",
      `default ${DEFAULT_ADMIN}; env ${ADMIN_VARIABLE}${repeated}`,
    ],
  };
}

/** The help of `--token-file`. */
export const TOKEN_FILE_HELP: HelpRow = {
  term: `${TOKEN_FILE} FILE`,
  lines: ["File with the gateway's admin token. A unix socket needs none.", `env ${TOKEN_VARIABLE}`],
};

/** The admin ports that a command line means, by default that of a gateway that would run with this environment. */
export function adminTargets(
  values: ReadonlyMap<string, readonly string[]>,
  env: CommandContext["env"],
): { readonly targets: readonly Address[]; readonly problems: readonly Problem[] } {
  const flags = values.get(ADMIN)?.map((text): Given => ({ text, origin: ADMIN }));
  const variable = env[ADMIN_VARIABLE];
  const usual = variable ? { text: variable, origin: ADMIN_VARIABLE } : undefined;
  const targets: Address[] = [];
  const problems: Problem[] = [];
  for (const { text, origin } of flags ?? [usual ?? { text: DEFAULT_ADMIN, origin: "" }]) {
    const target = readTarget(text);
    if (typeof target === "string") problems.push({ subject: origin, message: target });
    else targets.push(target);
  }
  return { targets, problems };
}

/** The token that a command line or an environment names a file for; undefined where neither does. */
export function adminToken(
  values: ReadonlyMap<string, readonly string[]>,
  env: CommandContext["env"],
): { readonly token: string | undefined; readonly problems: readonly Problem[] } {
  const flag = values.get(TOKEN_FILE)?.[0];
  const path = flag ?? env[TOKEN_VARIABLE];
  if (!path) return { token: undefined, problems: [] };
  const fault = (message: string) => {
    const subject = flag === undefined ? TOKEN_VARIABLE : TOKEN_FILE;
    return { token: undefined, problems: [{ subject, message: `${message}: ${path}` }] };
  };
  try {
    const token = readBoundedNow(path, MAX_TOKEN_BYTES).toString("latin1").trim();
    return /^[\x21-\x7e]+$/.test(token) ? { token, problems: [] } : fault("no token in it");
  } catch (reason) {
    return fault(errorText(reason));
  }
}

/** The address to connect to, or what is wrong with it. */
function readTarget(text: string): Address | string {
  const read = adminAddress().safeParse(text);
  if (!read.success) return read.error.issues[0]!.message;
  const address = read.data;
  if (address === "off") return "the gateway has no admin port";
  if (address.t === "unix") return address;
  if (address.port === 0) return `no port to connect to: ${JSON.stringify(text)}`;
  return { ...address, host: HOST_OF_ANY.get(address.host) ?? address.host };
}

/** Where to reach what listens on every address of this machine. */
const HOST_OF_ANY: ReadonlyMap<string, string> = new Map([
  ["", "127.0.0.1"],
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
]);

function variableOf(path: string): string {
  return SETTINGS.find((setting) => setting.path === path)!.variable!;
}
