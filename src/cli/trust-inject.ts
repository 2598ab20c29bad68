import { resolve } from "node:path";
import { type FileContent, readBounded } from "../base/bounded-file.ts";
import { type KnownFlag, readArguments } from "../config/arguments.ts";
import type { Problem } from "../config/problem.ts";
import { isVariableName } from "../trust/env-file.ts";
import { type ObjectSource, roleForObjects } from "../trust/object-source.ts";
import { readRegistryName } from "../trust/registry-name.ts";
import { isPlainPath } from "../trust/run-steps-wrapper.ts";
import { type CommandContext, ExitStatus, type ExitStatusValue } from "./command.ts";
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
import { RIGHTS_FLAGS, RIGHTS_HELP, readRights, required } from "./trust-flags.ts";
import { type InjectRequest, injectTrust, TARGETS, type Target } from "./trust-targets.ts";
import { ofFiles, watchUntilSignal } from "./watch-until-signal.ts";

const FLAGS: readonly KnownFlag[] = [
  ...["--for", "--registry", "--env"].map((flag) => ({ flag, isRepeatable: true })),
  ...["--bundle", "--place", "--toml", "--out", "--env-file", "--certs-dir", "--wrapper", "--runc", "--map"].map(
    (flag) => ({ flag, isRepeatable: false }),
  ),
  { flag: "--watch", isRepeatable: false, isSwitch: true },
  ...CLUSTER_FLAGS,
  ...RIGHTS_FLAGS,
];

/** The flags of `trust inject`, for a help text. */
export const TRUST_INJECT_HELP: readonly HelpRow[] = [
  { term: "--for TARGET", lines: [`${TARGETS.join(", ")}. Any number of times.`] },
  {
    term: "--bundle FILE",
    lines: ["The bundle, as trust build writes it; or a key of an object, configmap:NAMESPACE/NAME/KEY."],
  },
  { term: "--place FILE", lines: ["Copy it there, and let everything below name the copy."] },
  { term: "--map HERE=THERE", lines: ["Files below HERE are seen by the target below THERE: /out=/etc/ssl/certs."] },
  {
    term: "--registry HOST",
    lines: ["buildkitd, dockerd: a registry that gets it, host[:port]. Any number of times."],
  },
  { term: "--toml FILE", lines: ["buildkitd, run-steps: the buildkitd.toml to begin with. Absent: an empty one."] },
  { term: "--out FILE", lines: ["buildkitd, run-steps: the buildkitd.toml to write; may be the same."] },
  { term: "--env-file FILE", lines: ["runner: variables are appended there. Default: $GITHUB_ENV."] },
  {
    term: "--env NAME",
    lines: ["runner: a variable that names the bundle. Default: SSL_CERT_FILE. Any number of times."],
  },
  { term: "--certs-dir DIR", lines: ["dockerd: its folder of registries. Default: /etc/docker/certs.d."] },
  { term: "--wrapper FILE", lines: ["run-steps: the script that stands in for runc."] },
  {
    term: "--runc FILE",
    lines: ["run-steps: the real runc. Default: buildkit-runc, else runc, on the daemon's PATH."],
  },
  { term: "--watch", lines: ["Go on, and do it again when the bundle or --toml changes, until SIGTERM."] },
  ...CLUSTER_HELP,
  ...RIGHTS_HELP,
];

/** `trust inject`: make a bundle effective for a daemon, a runner or build steps. */
export async function trustInject(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const { values, problems: faults } = readArguments(argv, FLAGS);
  const { request, problems: requestFaults } = readRequest(values, context.env);
  const { objects, problems: objectFaults } = readBundleObject(values);
  const clusterFaults = clusterProblems(values, objects, context.env);
  const problems = [...faults, ...requestFaults, ...objectFaults, ...clusterFaults];
  if (problems.length > 0) {
    context.complain(describeProblems(problems, "command line"));
    return ExitStatus.USAGE;
  }
  const [object] = objects;
  const cluster = object && (await openTrustCluster(values, context));
  if (object && !cluster) return ExitStatus.FAILED;
  const read = object && cluster ? () => readObjectBundle(cluster, object) : () => readBounded(request.bundle);
  const action = () => injectTrust(request, read, context);
  try {
    if (!values.has("--watch")) return (await action()) ? ExitStatus.OK : ExitStatus.FAILED;
    const isTomlFollowed = request.toml !== undefined && request.toml !== request.tomlOut;
    const files = [...(object ? [] : [request.bundle]), ...(isTomlFollowed ? [request.toml!] : [])];
    const followers = [ofFiles(files)];
    if (cluster) followers.push((onChange) => cluster.follow(objects, onChange));
    return await watchUntilSignal(followers, action, context);
  } finally {
    cluster?.close();
  }
}

/** A bundle may be one key of an object, which is then put in its place. */
function readBundleObject(values: ReadonlyMap<string, readonly string[]>): ReturnType<typeof readObjects> {
  const { objects, problems } = readObjects("--bundle", values.get("--bundle") ?? []);
  const [object] = objects;
  if (!object) return { objects, problems };
  const more: Problem[] = [];
  if (object.key === undefined)
    more.push({ subject: "--bundle", message: "name the key: configmap:namespace/name/key" });
  if (!values.has("--place")) more.push({ subject: "--place", message: "is needed where the bundle is an object" });
  return { objects, problems: [...problems, ...more] };
}

async function readObjectBundle(cluster: TrustCluster, object: ObjectSource): Promise<FileContent> {
  const outcome = await cluster.read(object);
  if (outcome.t === "read") {
    const { content } = outcome.files[0]!;
    return content.t === "absent" ? { t: "unreadable", reason: "the object has no such key" } : content;
  }
  const { kind, reason } = outcome;
  const role =
    kind === "forbidden" ? `\nto allow it, apply this role:\n${roleForObjects(object, [object], reason)}` : "";
  return { t: "unreadable", reason: `${reason}${role}` };
}

function readRequest(
  values: ReadonlyMap<string, readonly string[]>,
  env: CommandContext["env"],
): { readonly request: InjectRequest; readonly problems: readonly Problem[] } {
  const first = (flag: string): string | undefined => values.get(flag)?.[0];
  const { rights, problems: rightFaults } = readRights(values);
  const targets = required(values, "--for", `trust inject --for ${TARGETS.join("|")} --bundle FILE`);
  const bundle = required(values, "--bundle", "trust inject --bundle FILE");
  const problems: Problem[] = [...rightFaults, ...targets.problems, ...bundle.problems];
  const fault = (subject: string, message: string) => problems.push({ subject, message });
  const isFor = (target: Target) => targets.given.includes(target);
  for (const target of targets.given) {
    if (!TARGETS.some((known) => known === target)) {
      fault("--for", `not a target: ${JSON.stringify(target)} (${TARGETS.join(", ")})`);
    }
  }
  for (const registry of values.get("--registry") ?? []) {
    if (readRegistryName(registry) === undefined) {
      fault("--registry", `not a registry: ${JSON.stringify(registry)} (write host or host:port)`);
    }
  }
  for (const name of values.get("--env") ?? []) {
    if (!isVariableName(name)) fault("--env", `not a variable's name: ${JSON.stringify(name)}`);
  }
  const map = first("--map")
    ?.split("=")
    .map((path) => resolve(path));
  if (map && map.length !== 2) fault("--map", "not two paths with = between them");
  const seen = (path: string): string => {
    const [here, there] = map ?? [];
    const full = resolve(path);
    return here !== undefined && full.startsWith(`${here}/`) ? `${there}${full.slice(here.length)}` : full;
  };
  const needsToml = isFor("buildkitd");
  if (needsToml && first("--out") === undefined) fault("--out", "is needed for buildkitd");
  const needsRegistry = needsToml || isFor("dockerd");
  if (needsRegistry && !values.has("--registry")) fault("--registry", "is needed for buildkitd and dockerd");
  const envFile = first("--env-file") ?? env.GITHUB_ENV;
  if (isFor("runner") && !envFile) fault("--env-file", "is needed where there is no $GITHUB_ENV");
  const wrapper = first("--wrapper");
  if (isFor("run-steps") && wrapper === undefined) fault("--wrapper", "is needed for run-steps");
  const placed = first("--place") ?? bundle.given[0] ?? "";
  if (isFor("run-steps")) {
    for (const path of [seen(placed), first("--runc")]) {
      if (path === undefined || isPlainPath(path)) continue;
      fault("--for run-steps", `not an absolute path of plain letters: ${JSON.stringify(path)}`);
    }
  }
  const request: InjectRequest = {
    targets: targets.given as readonly Target[],
    bundle: bundle.given[0] ?? "",
    place: first("--place"),
    bundleSeen: seen(placed),
    registries: values.get("--registry") ?? [],
    toml: first("--toml"),
    tomlOut: first("--out"),
    envFile,
    variables: values.get("--env") ?? ["SSL_CERT_FILE"],
    certsDir: first("--certs-dir") ?? "/etc/docker/certs.d",
    wrapper,
    wrapperSeen: wrapper === undefined ? undefined : seen(wrapper),
    runc: first("--runc"),
    rights,
  };
  return { request, problems };
}
