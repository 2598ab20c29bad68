const CONTROL = "moby.buildkit.v1.Control";

const CONTROL_METHODS = [
  "Solve",
  "Status",
  "Session",
  "ListWorkers",
  "Info",
  "DiskUsage",
  "Prune",
  "ListenBuildHistory",
  "UpdateBuildHistory",
] as const;

/** The other services that BuildKit serves, each with the name that all its methods have, and these. */
const SERVICES: readonly { readonly name: string; readonly service: string; readonly methods: readonly string[] }[] = [
  {
    name: "LLBBridge",
    service: "moby.buildkit.v1.frontend.LLBBridge",
    methods: [
      "ResolveImageConfig",
      "ResolveSourceMeta",
      "Solve",
      "ReadFile",
      "ReadDir",
      "StatFile",
      "Evaluate",
      "Ping",
      "Return",
      "Inputs",
      "NewContainer",
      "ReleaseContainer",
      "ExecProcess",
      "ReadFileContainer",
      "ReadDirContainer",
      "StatFileContainer",
      "Warn",
    ],
  },
  {
    name: "Content",
    service: "containerd.services.content.v1.Content",
    methods: ["Info", "Update", "List", "Delete", "Read", "Status", "ListStatuses", "Write", "Abort"],
  },
  {
    name: "TraceService",
    service: "opentelemetry.proto.collector.trace.v1.TraceService",
    methods: ["Export"],
  },
  { name: "Health", service: "grpc.health.v1.Health", methods: ["Check", "List", "Watch"] },
  { name: "ServerReflection", service: "grpc.reflection.v1.ServerReflection", methods: ["ServerReflectionInfo"] },
  { name: "ServerReflection", service: "grpc.reflection.v1alpha.ServerReflection", methods: ["ServerReflectionInfo"] },
];

const SERVICE_NAMES: ReadonlyMap<string, string> = new Map(SERVICES.map(({ service, name }) => [service, name]));

/** What a change of a build's record may ask for: {@link rpcName} has no such name, as it is not in the path. */
const UPDATE_HISTORY_PARTS = ["Pin", "Delete", "Finalize"].map((part) => `UpdateBuildHistory.${part}`);

/** What BuildKit serves, with each name that a rule may use and the paths that it stands for. */
export const KNOWN_RPCS: ReadonlyMap<string, readonly string[]> = new Map([
  ...CONTROL_METHODS.map((method) => [method, [`/${CONTROL}/${method}`]] as const),
  ...UPDATE_HISTORY_PARTS.map((name) => [name, [`/${CONTROL}/UpdateBuildHistory`]] as const),
  ...SERVICES.map(({ name }) => [name, pathsOf(name)] as const),
]);

/**
 * The short name of an RPC by its full path: a method of Control by its own
 * name, all methods of another service of BuildKit's by the service's; anything
 * else is its path.
 */
export function rpcName(path: string): string {
  const [, service = "", method = ""] = /^\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (service === CONTROL) return method;
  return SERVICE_NAMES.get(service) ?? path;
}

/** The RPC by which a build's record is pinned, deleted or finalized. */
export const UPDATE_HISTORY = `/${CONTROL}/UpdateBuildHistory`;

function pathsOf(name: string): readonly string[] {
  return SERVICES.filter((one) => one.name === name).flatMap(({ service, methods }) =>
    methods.map((method) => `/${service}/${method}`),
  );
}
