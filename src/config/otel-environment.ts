import type { Problem } from "./problem.ts";
import { quote } from "./value-types.ts";

/** What a variable of another's naming says of a setting. */
export interface StandardValue {
  /** As a file would have it. */
  readonly value: string | readonly string[];
  /** The variable's name. */
  readonly origin: string;
  /** What is wrong, where it is not overridden. */
  readonly problem?: Problem;
}

/** Standard variables that are set, by the path of the setting that each stands for. */
export type StandardValues = ReadonlyMap<string, StandardValue>;

/** Nothing is set. */
export const NO_STANDARD_VALUES: StandardValues = new Map();

const OWN_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const COMMON_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOLS = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE_NAME = "OTEL_SERVICE_NAME";

/**
 * The variables of OpenTelemetry that say where traces go, and from whom. An empty
 * one counts as not set, and `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none`
 * as if none were (opentelemetry.io, "Environment Variable Specification", "OpenTelemetry Protocol Exporter",
 * "Resource SDK").
 */
export function readOtelEnvironment(env: Readonly<Record<string, string | undefined>>): StandardValues {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none") return NO_STANDARD_VALUES;
  const values = new Map<string, StandardValue>();
  const endpoint = endpointOf(env);
  if (endpoint) values.set("traces.endpoint", { ...endpoint, ...protocolProblem(env) });
  try {
    const { serviceName, attributes } = readAttributes(env[ATTRIBUTES] ?? "");
    if (attributes.length > 0) values.set("traces.attributes", { value: attributes, origin: ATTRIBUTES });
    if (serviceName !== undefined) values.set("traces.serviceName", { value: serviceName, origin: ATTRIBUTES });
  } catch {
    const message = `not name=value pairs with commas between them: ${quote(env[ATTRIBUTES])}`;
    values.set("traces.attributes", { value: [], origin: ATTRIBUTES, problem: { subject: ATTRIBUTES, message } });
  }
  const name = env[SERVICE_NAME] ?? "";
  if (name !== "") values.set("traces.serviceName", { value: name, origin: SERVICE_NAME });
  return values;
}

/** A collector that is to be spoken to by gRPC would not understand us. */
function protocolProblem(env: Readonly<Record<string, string | undefined>>): Pick<StandardValue, "problem"> {
  const subject = PROTOCOLS.find((name) => (env[name] ?? "") !== "");
  if (subject === undefined || /^http\/(json|protobuf)$/.test(env[subject]!)) return {};
  const ways = "write http/json and the collector's address for it, or OTEL_TRACES_EXPORTER=none";
  return { problem: { subject, message: `traces are sent over HTTP, not by ${quote(env[subject])} (${ways})` } };
}

/** The one for traces is a whole URL, whose path is `/` where it has none; the one for all signals is what they begin with. */
function endpointOf(env: Readonly<Record<string, string | undefined>>): StandardValue | undefined {
  const own = env[OWN_ENDPOINT] ?? "";
  if (own !== "") return { value: /^\w+:\/\/[^/?]*$/.test(own) ? `${own}/` : own, origin: OWN_ENDPOINT };
  const common = env[COMMON_ENDPOINT] ?? "";
  return common === "" ? undefined : { value: `${common.replace(/\/$/, "")}/v1/traces`, origin: COMMON_ENDPOINT };
}

/** Names and values are percent-encoded where they hold a comma or an equals sign. Throws for what is no pair. */
function readAttributes(text: string): { serviceName: string | undefined; attributes: string[] } {
  let serviceName: string | undefined;
  const attributes: string[] = [];
  for (const pair of text.split(",")) {
    if (pair.trim() === "") continue;
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/s.exec(pair) ?? [];
    if (name === undefined) throw new Error("not a pair");
    const decoded = decodeURIComponent(value!);
    if (name === "service.name") serviceName = decoded;
    else attributes.push(`${decodeURIComponent(name)}=${decoded}`);
  }
  return { serviceName, attributes };
}
