/** Which port of a Service's endpoints is meant. */
export type ServicePort =
  /** A port of the pods, whether the Service has it or not. */
  | { readonly t: "number"; readonly port: number }
  | { readonly t: "name"; readonly name: string }
  /** The one called {@link USUAL_PORT_NAME}, else the only one. */
  | { readonly t: "usual" };

/** What a port for BuildKit is called where nothing else is said. */
export const USUAL_PORT_NAME = "buildkit";

/** A port, or why none can be told. */
export type ChosenPort =
  | { readonly t: "port"; readonly port: number }
  | { readonly t: "none"; readonly reason: string };

/**
 * Choose among the `ports` of an EndpointSlice, which are those of the pods under
 * the names that the Service gives them (kubernetes/api, discovery/v1 types.go,
 * EndpointPort). Only TCP counts.
 */
export function choosePort(ports: unknown, wanted: ServicePort): ChosenPort {
  if (wanted.t === "number") return { t: "port", port: wanted.port };
  const known = readPorts(ports);
  const named = known.find(({ name }) => name === (wanted.t === "name" ? wanted.name : USUAL_PORT_NAME));
  const chosen = named ?? (wanted.t === "usual" && known.length === 1 ? known[0] : undefined);
  if (chosen) return { t: "port", port: chosen.port };
  if (known.length === 0) return { t: "none", reason: "the service has no TCP port: write service:port" };
  const names = known.map(({ name, port }) => name || String(port)).join(", ");
  const reason = wanted.t === "name" ? `no port is called ${wanted.name}` : "it has several ports: write service:port";
  return { t: "none", reason: `${reason} (there are ${names})` };
}

interface NamedPort {
  /** Empty where the Service has but one port without a name. */
  readonly name: string;
  readonly port: number;
}

function readPorts(ports: unknown): NamedPort[] {
  if (!Array.isArray(ports)) return [];
  return ports.flatMap((entry: unknown): NamedPort[] => {
    const { name, port, protocol } = (entry ?? {}) as Record<string, unknown>;
    const isTcp = (protocol ?? "TCP") === "TCP";
    const isPort = typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536;
    return isTcp && isPort ? [{ name: typeof name === "string" ? name.slice(0, 63) : "", port }] : [];
  });
}
