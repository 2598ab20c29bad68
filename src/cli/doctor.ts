import { lookup } from "node:dns/promises";
import { type Clock, systemClock } from "../base/clock.ts";
import { programVersion } from "../base/program-version.ts";
import { poolsOf } from "../config/pools.ts";
import type { Config } from "../config/schema.ts";
import type { ServiceName } from "../config/service-values.ts";
import { openCluster } from "../configured-cluster.ts";
import type { AdminPort } from "../doctor/admin-checks.ts";
import type { ClusterCheckOptions } from "../doctor/cluster-checks.ts";
import { examine } from "../doctor/examine.ts";
import { worstOf } from "../doctor/finding.ts";
import type { Permission } from "../doctor/permission-check.ts";
import { readGoRootPool, readPemPool } from "../trust/go-root-pool.ts";
import { LEGS } from "../trust/judge-leg.ts";
import { publicRoots } from "../trust/verify-registry.ts";
import { askAdminText, formatAdmin } from "./admin-client.ts";
import { type Command, type CommandContext, ExitStatus, type ExitStatusValue, PROGRAM } from "./command.ts";
import { describeProblems } from "./describe-problems.ts";
import { type DoctorRequest, readDoctorArguments } from "./doctor-arguments.ts";
import { doctorHelp } from "./doctor-help.ts";
import { describeFindings, findingsJson } from "./doctor-report.ts";
import { readToml } from "./trust-verify.ts";

/** `buildkit-gateway doctor`: what is wrong between here and BuildKit, and what to do about it. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "Check the way from here to BuildKit, the gateway and the cluster, and say what to do.",
  help: doctorHelp,
  run: doctor,
};

/** Width where the output is no terminal. */
const USUAL_COLUMNS = 120;

/** The replicas' Service in a cluster that is set up as deploy/ does it. */
const USUAL_SERVICE: ServiceName = { name: "buildkit-replicas" };

const STATUS_OF = { ok: ExitStatus.OK, warning: ExitStatus.WARNING, failure: ExitStatus.FAILED } as const;

async function doctor(argv: readonly string[], context: CommandContext): Promise<ExitStatusValue> {
  const read = readDoctorArguments(argv, context.env);
  if (read.t === "invalid") {
    context.complain(describeProblems(read.problems, "command line"));
    return ExitStatus.USAGE;
  }
  const { request } = read;
  const toml = await readToml(request.toml);
  if ("fault" in toml) {
    context.complain(`${PROGRAM}: --toml: ${request.toml}: ${toml.fault}\n`);
    return ExitStatus.USAGE;
  }
  const { address, origin, ca, own, servername, wantsTls, registries, bundle } = request;
  const roots = ca === undefined ? await readGoRootPool(context.env) : await readPemPool([ca], ca);
  // Without its configuration nothing can be said of the daemon, which has roots of its own.
  const legs = LEGS.filter((leg) => leg !== "daemon" || request.toml !== undefined);
  const findings = await examine({
    target: {
      address,
      origin,
      wantsTls,
      roots,
      own,
      isPublic: publicRoots(),
      lookup: (host) => lookup(host, { all: true }),
      ...(servername !== undefined && { servername }),
    },
    admin: request.admin && adminPort(request.admin, systemClock),
    cluster: clusterOf(request, context.env, systemClock),
    registries: { registries, toml: toml.text, trust: { bundle, legs, env: context.env } },
    clock: systemClock,
  });
  const { terminal, env } = context;
  const style = { columns: terminal?.columns ?? USUAL_COLUMNS, hasColours: terminal !== undefined && !env.NO_COLOR };
  const program = `${PROGRAM} ${programVersion()}`;
  context.print(request.isJson ? findingsJson(findings, program) : describeFindings(findings, style));
  return STATUS_OF[worstOf(findings)];
}

function adminPort(address: NonNullable<DoctorRequest["admin"]>, clock: Clock): AdminPort {
  return {
    name: formatAdmin(address),
    ask: (path, timeoutMs) => askAdminText(address, { method: "GET", path, timeoutMs }, clock),
  };
}

/** Undefined: nothing leads to a cluster. */
function clusterOf(
  { kubeconfig, context, namespace, services, config }: DoctorRequest,
  env: CommandContext["env"],
  clock: Clock,
): Omit<ClusterCheckOptions, "clock" | "deadlineMs"> | undefined {
  const ofConfig = config ? poolsOf(config).flatMap(({ replicasService }) => replicasService) : [];
  const isNamed = kubeconfig !== undefined || services.length > 0 || ofConfig.length > 0;
  if (!isNamed && !env.KUBERNETES_SERVICE_HOST) return undefined;
  const usual = ofConfig.length > 0 ? ofConfig : [USUAL_SERVICE];
  const named = services.length > 0 ? services : usual;
  const access =
    kubeconfig === undefined ? config?.kubernetes : { kubeconfig, ...(context !== undefined && { context }) };
  const kubernetes = { deletionCost: false, ...access, ...(namespace !== undefined && { namespace }) };
  return {
    open: () => openCluster({ kubernetes }, clock),
    permissions: (own) => (config ? permissionsOf(config, own) : []),
    services: named.map(({ name, namespace: own, port }) => ({
      name,
      ...(own !== undefined && { namespace: own }),
      port: portOf(port),
    })),
  };
}

function portOf(port: number | string | undefined) {
  if (port === undefined) return { t: "usual" } as const;
  return typeof port === "number" ? ({ t: "number", port } as const) : ({ t: "name", name: port } as const);
}

/** What a gateway of this configuration must be allowed, beside finding its replicas (docs/kubernetes.md, Rights). */
function permissionsOf(config: Config, usual: string | undefined): Permission[] {
  const { kubernetes, identity } = config;
  const watched = ["list", "watch"];
  const pods = (namespace: string) => ({ group: "", version: "v1", name: "pods", namespace });
  const ofServices = new Set(
    poolsOf(config).flatMap(({ replicasService }) =>
      replicasService.flatMap(({ namespace }) => namespace ?? usual ?? []),
    ),
  );
  const { namespaces, runners } = identity.pods;
  return [
    ...(kubernetes.deletionCost ? [...ofServices] : []).map((namespace) => ({
      resource: pods(namespace),
      verbs: ["patch"],
      purpose: "to keep their deletion cost",
    })),
    ...namespaces.map((namespace) => ({ resource: pods(namespace), verbs: watched, purpose: "to tell who builds" })),
    ...(runners ? namespaces : []).map((namespace) => ({
      resource: { group: "actions.github.com", version: "v1alpha1", name: "ephemeralrunners", namespace },
      verbs: watched,
      purpose: "to tell which repository builds",
    })),
  ];
}
