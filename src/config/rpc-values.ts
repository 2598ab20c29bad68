import { suggestion } from "./closest.ts";
import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** Names of RPCs that a policy may speak of. */
export const POLICY_RPCS = [
  "Solve",
  "Status",
  "Session",
  "ListWorkers",
  "Info",
  "DiskUsage",
  "Prune",
  "ListenBuildHistory",
  "UpdateBuildHistory",
  "UpdateBuildHistory.Pin",
  "UpdateBuildHistory.Delete",
  "UpdateBuildHistory.Finalize",
  "LLBBridge",
  "Content",
  "TraceService",
  "Health",
  "ServerReflection",
] as const;

/** Full paths, and patterns with `*`. */
const PATTERN = /^(?:\/[^\s,]{1,511}|[^\s,]{0,511}\*[^\s,]{0,511})$/;

/** RPCs by name, by full path, or by patterns of both. A name that is none is an error: it would never match. */
export function rpcList() {
  const label = "RPC";
  return list(value(label, readRpc), { label, writeItem: String }, (name) => [quote(name)]);
}

function readRpc(input: unknown): string {
  const name = POLICY_RPCS.find((known) => known === input);
  if (name !== undefined) return name;
  if (typeof input === "string" && PATTERN.test(input)) return input;
  const hint = typeof input === "string" ? suggestion(input, POLICY_RPCS) : "";
  throw new Error(`not an RPC: ${quote(input)}${hint || " (write Prune, UpdateBuildHistory.Delete or a full path)"}`);
}
