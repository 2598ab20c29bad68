import { faultOf, readBounded } from "../base/bounded-file.ts";
import { counted } from "../base/counted.ts";
import { printable } from "../base/printable.ts";
import { errorText } from "../base/system-error.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import { writeIfChanged } from "../trust/atomic-file.ts";
import { compileBundle } from "../trust/bundle.ts";
import type { FileRemark } from "../trust/certificate-file.ts";
import { gatherSources, type TrustSource } from "../trust/gather-sources.ts";
import { looksLikeObject, writeObjectSource } from "../trust/object-source.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import type { HelpRow } from "./help.ts";
import {
  CLUSTER_FLAGS,
  CLUSTER_HELP,
  clusterProblems,
  openTrustCluster,
  readObjects,
  type TrustCluster,
} from "./trust-cluster.ts";
import { type FileRights, RIGHTS_FLAGS, RIGHTS_HELP, readRights, required } from "./trust-flags.ts";
import { ofFiles, watchUntilSignal } from "./watch-until-signal.ts";

const FLAGS: readonly KnownFlag[] = [
  { flag: "--source", isRepeatable: true },
  { flag: "--system", isRepeatable: false, isSwitch: true },
  { flag: "--node-roots", isRepeatable: false, isSwitch: true },
  { flag: "--password-file", isRepeatable: false },
  { flag: "--out", isRepeatable: false },
  { flag: "--name", isRepeatable: false },
  { flag: "--strict", isRepeatable: false, isSwitch: true },
  { flag: "--watch", isRepeatable: false, isSwitch: true },
  ...CLUSTER_FLAGS,
  ...RIGHTS_FLAGS,
];

/** The flags of `trust build`, for a help text. */
export const TRUST_BUILD_HELP: readonly HelpRow[] = [
  {
    term: "--source PATH",
    lines: [
      "A file with certificates (PEM, DER, PKCS#7, PKCS#12), or a folder of .pem, .crt, .cer, .der, .p7b, .p12 and " +
        ".pfx files, such as a mounted ConfigMap. Or an object of Kubernetes: configmap:NAMESPACE/NAME, " +
        "secret:NAMESPACE/NAME/KEY. Any number of times.",
    ],
  },
  { term: "--system", lines: ["This system's roots as well (Debian, Alpine, Fedora, RHEL, OpenSUSE)."] },
  { term: "--node-roots", lines: ["Mozilla's roots, as Node was built with: for systems that have none."] },
  { term: "--password-file FILE", lines: ["Its first line opens PKCS#12 files."] },
  { term: "--out FILE", lines: ["The bundle. Written at once and whole, and only if it changes."] },
  { term: "--name NAME", lines: ["What the bundle is called in its first line. Default: sonda-red."] },
  { term: "--strict", lines: ["Take warnings for errors."] },
  { term: "--watch", lines: ["Go on, and build again when a source changes, until SIGTERM."] },
  ...CLUSTER_HELP,
  ...RIGHTS_HELP,
];

/** Longest password file; a password is one line. */
const MAX_PASSWORD_BYTES = 4_096;

/** Most findings that are listed one by one. */
const MAX_SHOWN = 50;

const MAX_SHOWN_CHARACTERS = 400;

interface BuildRequest {
  readonly sources: readonly TrustSource[];
  /** Where objects are asked for; undefined where no source is one. */
  readonly cluster: TrustCluster | undefined;
  readonly passwordFile: string | undefined;
  readonly out: string;
  readonly name: string;
  readonly isStrict: boolean;
  readonly rights: FileRights;
}

/** `trust build`: compile sources into one bundle, and write it if it is sound and has changed. */
export async function trustBuild(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { rights, problems: rightFaults } = readRights(values);
  const out = required(values, "--out", "trust build --source FILE --out FILE");
  const given = values.get("--source") ?? [];
  const paths = given.filter((text) => !looksLikeObject(text));
  const { objects, problems: objectFaults } = readObjects("--source", given);
  const sources = given.flatMap((path): TrustSource[] => {
    if (!looksLikeObject(path)) return [{ t: "path", path }];
    const object = objects.find((one) => writeObjectSource(one) === path);
    return object ? [{ t: "object", object }] : [];
  });
  if (values.has("--system")) sources.push({ t: "system" });
  if (values.has("--node-roots")) sources.push({ t: "node_roots" });
  const clusterFaults = clusterProblems(values, objects, context.env);
  const problems = [...faults, ...rightFaults, ...out.problems, ...objectFaults, ...clusterFaults];
  if (given.length === 0 && sources.length === 0)
    problems.push({ subject: "--source", message: "is needed, or --system, or --node-roots" });
  const name = values.get("--name")?.[0] ?? "sonda-red";
  if (!/^[\x20-\x7e]{1,100}$/.test(name)) {
    problems.push({ subject: "--name", message: "must be 1 to 100 printable ASCII characters" });
  }
  if (problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const passwordFile = values.get("--password-file")?.[0];
  const cluster = objects.length === 0 ? undefined : await openTrustCluster(values, context);
  if (objects.length > 0 && !cluster) return ExitStatus.FAILED;
  const request = {
    sources,
    cluster,
    passwordFile,
    out: out.given[0]!,
    name,
    isStrict: values.has("--strict"),
    rights,
  };
  const action = () => buildOnce(request, context);
  try {
    if (!values.has("--watch")) return (await action()) ? ExitStatus.OK : ExitStatus.FAILED;
    const files = ofFiles([...paths, ...(passwordFile === undefined ? [] : [passwordFile])]);
    const followers = cluster ? [files, (onChange: () => Promise<void>) => cluster.follow(objects, onChange)] : [files];
    return await watchUntilSignal(followers, action, context);
  } finally {
    cluster?.close();
  }
}

async function buildOnce(request: BuildRequest, context: CommandContext): Promise<boolean> {
  const { sources, cluster, passwordFile, out, name, isStrict, rights } = request;
  const password = await readPassword(passwordFile);
  if (password.t === "unreadable") {
    context.complain(`${PROGRAM}: ${passwordFile}: ${password.reason}\n`);
    return false;
  }
  const gathered = await gatherSources(sources, {
    ...(password.text !== undefined && { password: password.text }),
    ...(cluster && { readObject: (source) => cluster.read(source) }),
  });
  const bundle = compileBundle(gathered.parts, { name, now: new Date() });
  const errors = [...gathered.errors, ...bundle.errors];
  const warnings = [...gathered.warnings, ...bundle.warnings];
  complainOf("error", errors, context);
  for (const role of gathered.roles) context.complain(`to allow it, apply this role:\n${role}`);
  complainOf(isStrict ? "error (--strict)" : "warning", warnings, context);
  if (bundle.notes.length > 0) {
    const what = bundle.notes.map(({ reason }) => reason).join("; ");
    context.complain(
      `${printable(`note: ${counted(bundle.notes.length, "remark")} on the roots of this system: ${what}`, MAX_SHOWN_CHARACTERS)}\n`,
    );
  }
  const isSound = errors.length === 0 && !(isStrict && warnings.length > 0);
  if (!isSound || bundle.authorities.length === 0) {
    const why = isSound ? "there is no certificate to write" : "of the errors above";
    context.complain(`${PROGRAM}: ${out} stays as it was, because ${why}\n`);
    return false;
  }
  try {
    const isChanged = await writeIfChanged({ path: out, ...rights }, Buffer.from(bundle.text));
    const certificates = counted(bundle.authorities.length, "certificate");
    const duplicates = bundle.duplicates === 0 ? "" : `, ${counted(bundle.duplicates, "duplicate")} dropped`;
    context.print(`${out}: ${isChanged ? "written" : "unchanged"}, ${certificates}${duplicates}\n`);
    return true;
  } catch (reason) {
    context.complain(`${PROGRAM}: ${out}: not written: ${errorText(reason)}\n`);
    return false;
  }
}

type Password =
  | { readonly t: "ready"; readonly text: string | undefined }
  | { readonly t: "unreadable"; readonly reason: string };

async function readPassword(file: string | undefined): Promise<Password> {
  if (file === undefined) return { t: "ready", text: undefined };
  const content = await readBounded(file, MAX_PASSWORD_BYTES);
  if (content.t === "read") return { t: "ready", text: content.bytes.toString("utf8").split(/\r?\n/)[0]! };
  return { t: "unreadable", reason: faultOf(content) };
}

/** One line a finding: `ca.pem: line 12: error: not a certificate authority: CN=harbor`. */
function complainOf(kind: string, remarks: readonly FileRemark[], context: CommandContext): void {
  for (const { file, position, reason } of remarks.slice(0, MAX_SHOWN)) {
    const where = position === "" ? file : `${file}: ${position}`;
    context.complain(`${printable(`${where}: ${kind}: ${reason}`, MAX_SHOWN_CHARACTERS)}\n`);
  }
  if (remarks.length > MAX_SHOWN) context.complain(`… and ${remarks.length - MAX_SHOWN} more of that kind\n`);
}
