import { type Address, parseAddress } from "../base/address.ts";
import { readBoundedNow } from "../base/bounded-file.ts";
import { systemErrorText } from "../base/system-error.ts";
import { readTlsFiles } from "../base/tls-files.ts";
import type { TlsMaterial } from "../base/tls-material.ts";
import { upstreamAddress } from "../config/address-values.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { CONFIG_FLAG } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import type { Problem } from "../config/problem.ts";
import type { Config } from "../config/schema.ts";
import { NAMESPACE, type ServiceName, serviceList } from "../config/service-values.ts";
import { readRegistryName } from "../trust/registry-name.ts";
import { ADMIN_VARIABLE, adminFlag, adminTargets } from "./admin-flags.ts";
import type { CommandContext } from "./command.ts";

const SINGLE_FLAGS = [
  "--addr",
  "--ca",
  "--cert",
  "--key",
  "--servername",
  "--kubeconfig",
  "--context",
  "--namespace",
  "--bundle",
  "--toml",
  CONFIG_FLAG,
];

const FLAGS: readonly KnownFlag[] = [
  ...SINGLE_FLAGS.map((flag) => ({ flag, isRepeatable: false })),
  { flag: "--service", isRepeatable: true },
  { flag: "--registry", isRepeatable: true },
  { flag: "--json", isRepeatable: false, isSwitch: true },
  adminFlag(false),
];

/** Where a gateway is in a cluster that is set up as deploy/ does it. */
const USUAL_ADDRESS = "tcp://buildkit.buildkit.svc.cluster.local:1234";

/** What buildctl and others read. */
const ADDRESS_VARIABLE = "BUILDKIT_HOST";

/** Largest file of certificates that is read. */
const MAX_PEM_BYTES = 2 ** 20;

/** Registries that are looked at at once. */
const MAX_REGISTRIES = 20;

/** Services that are looked at at once. */
const MAX_SERVICES = 20;

/** What a command line asks a doctor for. */
export interface DoctorRequest {
  readonly address: Address;
  /** Who named the address. */
  readonly origin: string;
  /** What the client trusts; absent: the system's roots. */
  readonly ca: string | undefined;
  readonly own: Pick<TlsMaterial, "cert" | "key">;
  readonly servername: string | undefined;
  readonly wantsTls: boolean;
  /** Absent: none is named. */
  readonly admin: Address | undefined;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
  readonly services: readonly ServiceName[];
  readonly registries: readonly string[];
  readonly bundle: string | undefined;
  readonly toml: string | undefined;
  /** The gateway's; absent: none is named. */
  readonly config: Config | undefined;
  readonly isJson: boolean;
}

/** Read the command line of a doctor, or say everything that is wrong with it. */
export function readDoctorArguments(
  argv: readonly string[],
  env: CommandContext["env"],
):
  | { readonly t: "read"; readonly request: DoctorRequest }
  | { readonly t: "invalid"; readonly problems: readonly Problem[] } {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const problems: Problem[] = [...faults];
  const one = (flag: string) => values.get(flag)?.[0];
  const { address, origin } = readTarget(one("--addr"), env, problems);
  const own = readOwnCertificate(one, problems);
  const admin = readAdmin(values, env, problems);
  const registries = values.get("--registry") ?? [];
  for (const registry of registries) {
    if (readRegistryName(registry)) continue;
    const message = `not a registry: ${JSON.stringify(registry)} (write host or host:port)`;
    problems.push({ subject: "--registry", message });
  }
  if (registries.length > MAX_REGISTRIES)
    problems.push({ subject: "--registry", message: `more than ${MAX_REGISTRIES}` });
  const services = readServices(values.get("--service") ?? [], problems);
  const namespace = one("--namespace");
  if (namespace !== undefined && !NAMESPACE.test(namespace)) {
    problems.push({ subject: "--namespace", message: `not a namespace: ${JSON.stringify(namespace)}` });
  }
  if (one("--context") !== undefined && one("--kubeconfig") === undefined) {
    problems.push({ subject: "--context", message: "needs --kubeconfig" });
  }
  const config = readConfig(one(CONFIG_FLAG), env, problems);
  if (problems.length > 0) return { t: "invalid", problems };
  const wantsTls = ["--ca", "--cert", "--key", "--servername"].some((flag) => values.has(flag));
  return {
    t: "read",
    request: {
      address,
      origin,
      ca: one("--ca"),
      own,
      servername: one("--servername"),
      wantsTls,
      admin,
      kubeconfig: one("--kubeconfig"),
      context: one("--context"),
      namespace,
      services,
      registries,
      bundle: one("--bundle"),
      toml: one("--toml"),
      config,
      isJson: values.has("--json"),
    },
  };
}

type Read = (flag: string) => string | undefined;

function readTarget(
  given: string | undefined,
  env: CommandContext["env"],
  problems: Problem[],
): { readonly address: Address; readonly origin: string } {
  const usual = {
    address: parseAddress(USUAL_ADDRESS),
    origin: `the default (neither --addr nor ${ADDRESS_VARIABLE})`,
  };
  const variable = env[ADDRESS_VARIABLE] || undefined;
  const text = given ?? variable;
  if (text === undefined) return usual;
  const origin = given === undefined ? ADDRESS_VARIABLE : "--addr";
  const read = upstreamAddress().safeParse(text);
  if (read.success) return { address: read.data, origin };
  problems.push({ subject: origin, message: read.error.issues[0]!.message });
  return usual;
}

function readOwnCertificate(one: Read, problems: Problem[]): Pick<TlsMaterial, "cert" | "key"> {
  const files = { ca: one("--ca"), cert: one("--cert"), key: one("--key") };
  for (const [flag, other] of [
    ["cert", "key"],
    ["key", "cert"],
  ] as const) {
    if (files[flag] !== undefined && files[other] === undefined) {
      problems.push({ subject: `--${flag}`, message: `needs --${other}` });
      return {};
    }
  }
  try {
    // First of all, as what reads them knows no bound.
    for (const [flag, path] of Object.entries(files)) if (path !== undefined) boundFile(`${SECTION}.${flag}`, path);
    const { cert, key } = readTlsFiles(SECTION, files);
    return { cert, key };
  } catch (reason) {
    const { message, cause } = reason as Error;
    const why = systemErrorText(cause) ?? (cause as Error | undefined)?.message ?? "";
    problems.push({ subject: "", message: [message.replaceAll(`${SECTION}.`, "--"), why].filter(Boolean).join(": ") });
    return {};
  }
}

/** Stands for the dashes of flags, where they are named like settings. */
const SECTION = "flag";

function boundFile(name: string, path: string): void {
  let sizeBytes: number;
  try {
    sizeBytes = readBoundedNow(path, MAX_PEM_BYTES).length;
  } catch (cause) {
    throw new Error(`${name}: ${path}`, { cause });
  }
  if (sizeBytes > MAX_PEM_BYTES) throw new Error(`${name}: ${path}: larger than ${MAX_PEM_BYTES} bytes`);
}

function readAdmin(
  values: ReadonlyMap<string, readonly string[]>,
  env: CommandContext["env"],
  problems: Problem[],
): Address | undefined {
  const given = values.get("--admin")?.map((text) => text.replace(/^http:\/\//, "").replace(/\/$/, ""));
  if (!given && !env[ADMIN_VARIABLE]) return undefined;
  const { targets, problems: faults } = adminTargets(given ? new Map([["--admin", given]]) : values, env);
  problems.push(...faults);
  return targets[0];
}

function readServices(texts: readonly string[], problems: Problem[]): readonly ServiceName[] {
  const read = serviceList().safeParse(texts);
  if (texts.length > MAX_SERVICES) problems.push({ subject: "--service", message: `more than ${MAX_SERVICES}` });
  if (read.success) return read.data;
  problems.push({ subject: "--service", message: read.error.issues[0]!.message });
  return [];
}

function readConfig(file: string | undefined, env: CommandContext["env"], problems: Problem[]): Config | undefined {
  if (file === undefined) return undefined;
  const loaded = loadConfig({ argv: [CONFIG_FLAG, file], env, readFile: readBoundedNow });
  if (loaded.t === "loaded") return loaded.config;
  problems.push(...loaded.problems);
  return undefined;
}
