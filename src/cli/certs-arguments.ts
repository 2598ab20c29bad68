import type { z } from "zod";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { choice, count } from "../config/value-types.ts";
import type { KeyType } from "../trust/certificate-authority.ts";
import { kubernetesRequests } from "../trust/certificate-preset.ts";
import {
  type CertificatePurpose,
  MAX_NAMES,
  type NamedRequest,
  readCommonName,
  readSubjectName,
} from "../trust/certificate-request.ts";

/** Where the authority comes from. */
export type AuthoritySource =
  | { readonly t: "new"; readonly name: string; readonly days: number }
  | { readonly t: "existing"; readonly certFile: string; readonly keyFile: string };

/** Where the pairs go. */
export type CertsOutput =
  | { readonly t: "files"; readonly folder: string }
  /** Absent: to standard output. */
  | { readonly t: "secrets"; readonly file?: string; readonly namespace: string; readonly runnerNamespace: string };

/** What `certs` was asked to make. */
export interface CertsPlan {
  readonly authority: AuthoritySource;
  readonly requests: readonly NamedRequest[];
  readonly keyType: KeyType;
  readonly days: number;
  readonly output: CertsOutput;
  /** Replace what is there. */
  readonly isForced: boolean;
}

/** Name of the Secret that holds a new authority. */
export const AUTHORITY_SECRET = "buildkit-ca";

const DEFAULT_NAMESPACE = "buildkit";

const MAX_PAIRS = 100;
const MAX_DAYS = 36_500;

const SINGLE_FLAGS = ["--output", "--out", "--preset", "--namespace", "--runner-namespace"];
const AUTHORITY_FLAGS = ["--ca-name", "--ca-days", "--ca-cert", "--ca-key"];

const FLAGS: readonly KnownFlag[] = [
  ...[...SINGLE_FLAGS, ...AUTHORITY_FLAGS, "--key-type", "--days"].map((flag) => ({ flag, isRepeatable: false })),
  ...["--server", "--client", "--name"].map((flag) => ({ flag, isRepeatable: true })),
  { flag: "--force", isRepeatable: false, isSwitch: true },
];

/** A name of one label (RFC 1123), which a folder, a Secret and a namespace can have. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Read the command line of `certs`; the plan counts only where there are no problems. */
export function readCertsArguments(argv: readonly string[]): {
  readonly plan: CertsPlan;
  readonly problems: readonly Problem[];
} {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const problems: Problem[] = [...faults];
  const read = <T>(flag: string, fallback: string, parse: (text: string) => T): T | undefined => {
    try {
      return parse(values.get(flag)?.[0] ?? fallback);
    } catch (reason) {
      problems.push({ subject: flag, message: (reason as Error).message });
      return undefined;
    }
  };
  const readAll = <T>(flag: string, parse: (text: string) => T): T[] =>
    (values.get(flag) ?? []).flatMap((text) => read(flag, text, () => parse(text)) ?? []);

  const namespace = read("--namespace", DEFAULT_NAMESPACE, readLabel) ?? DEFAULT_NAMESPACE;
  const runnerNamespace = read("--runner-namespace", namespace, readLabel) ?? "";
  const gatewayNames = readAll("--name", readSubjectName);
  const pairs = [
    ...readAll("--server", (text) => readPair("server", text)),
    ...readAll("--client", (text) => readPair("client", text)),
  ];
  const isPreset = values.has("--preset") || !(values.has("--server") || values.has("--client"));
  read("--preset", "kubernetes", by(choice(["kubernetes"])));
  if (!isPreset && gatewayNames.length > 0) problems.push({ subject: "--name", message: "needs --preset kubernetes" });
  const requests = [...(isPreset ? kubernetesRequests({ namespace, gatewayNames }) : []), ...pairs];
  problems.push(...pairProblems(requests));

  const format = read("--output", "files", by(choice(["files", "secrets"])));
  const out = values.get("--out")?.[0];
  const output: CertsOutput =
    format === "secrets"
      ? { t: "secrets", ...(out !== undefined && { file: out }), namespace, runnerNamespace }
      : { t: "files", folder: out ?? "certs" };
  const days = count({ min: 1, max: MAX_DAYS });
  const plan: CertsPlan = {
    authority: readAuthoritySource(values, problems, {
      name: read("--ca-name", "sonda-red buildkit", readCommonName) ?? "",
      days: read("--ca-days", "3650", by(days)) ?? 0,
    }),
    requests,
    keyType: read("--key-type", "ec", by(choice(["ec", "rsa"]))) ?? "ec",
    days: read("--days", "365", by(days)) ?? 0,
    output,
    isForced: values.has("--force"),
  };
  return { plan, problems };
}

function readAuthoritySource(
  values: ReadonlyMap<string, readonly string[]>,
  problems: Problem[],
  own: { readonly name: string; readonly days: number },
): AuthoritySource {
  const certFile = values.get("--ca-cert")?.[0];
  const keyFile = values.get("--ca-key")?.[0];
  if (certFile === undefined && keyFile === undefined) return { t: "new", ...own };
  if (certFile === undefined || keyFile === undefined) {
    const [given, missing] = certFile === undefined ? ["--ca-key", "--ca-cert"] : ["--ca-cert", "--ca-key"];
    problems.push({ subject: given, message: `needs ${missing}` });
  }
  for (const flag of ["--ca-name", "--ca-days"].filter((name) => values.has(name))) {
    problems.push({ subject: flag, message: "is for a new authority, and --ca-cert gives one that there is" });
  }
  return { t: "existing", certFile: certFile ?? "", keyFile: keyFile ?? "" };
}

/** A kind of value as a function that throws an Error of one line. */
function by<T>(type: z.ZodType<T>): (text: string) => T {
  return (text) => {
    const read = type.safeParse(text);
    if (read.success) return read.data;
    throw new Error(read.error.issues[0]!.message);
  };
}

/** `NAME=HOST,…`; a client's names may be left out. */
function readPair(purpose: CertificatePurpose, text: string): NamedRequest {
  const at = text.indexOf("=");
  const name = readLabel(at === -1 ? text : text.slice(0, at));
  const names =
    at === -1
      ? []
      : text
          .slice(at + 1)
          .split(",")
          .map(readSubjectName);
  if (purpose === "server" && names.length === 0) throw new Error(`${name} needs a name: write ${name}=host.example`);
  return { name, commonName: name, purpose, names };
}

function readLabel(text: string): string {
  if (LABEL.test(text)) return text;
  throw new Error(`not a name: ${JSON.stringify(text)} (1 to 63 of a-z, 0-9 and "-")`);
}

function pairProblems(requests: readonly NamedRequest[]): Problem[] {
  const problems: Problem[] = [];
  if (requests.length > MAX_PAIRS) {
    problems.push({ subject: "", message: `${requests.length} pairs, more than ${MAX_PAIRS}` });
  }
  requests.forEach(({ name, names }, index) => {
    const isTaken = name === AUTHORITY_SECRET || requests.findIndex((other) => other.name === name) < index;
    if (isTaken) problems.push({ subject: "", message: `two pairs are called ${name}` });
    if (names.length > MAX_NAMES) {
      problems.push({ subject: "", message: `${name} has ${names.length} names, more than ${MAX_NAMES}` });
    }
  });
  return problems;
}
