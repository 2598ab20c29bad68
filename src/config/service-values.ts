import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** A Service whose pods are replicas. */
export interface ServiceName {
  /** Absent: the gateway's own. */
  readonly namespace?: string;
  readonly name: string;
  /** Number or name of a port. Absent: the one called `buildkit`, else the only one. */
  readonly port?: number | string;
}

/** Names of namespaces, Services and their ports are DNS labels (RFC 1123 section 2.1). */
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** A name that may be a namespace's. */
export const NAMESPACE = new RegExp(`^${LABEL}$`);

const SERVICE = new RegExp(`^(?:(${LABEL})/)?(${LABEL})(?::(${LABEL}))?$`);

const TYPE_LABEL = "[namespace/]service[:port]";

/** Services whose pods are replicas: each `service`, with a namespace before it and a port after it where needed. */
export function serviceList() {
  return list(
    value(TYPE_LABEL, readService, writeService),
    { label: TYPE_LABEL, writeItem: writeService },
    (service) => [`service ${quote(writeService({ ...service, port: undefined }))}`],
  );
}

function readService(input: unknown): ServiceName {
  const [, namespace, name, portText] = (typeof input === "string" && SERVICE.exec(input)) || [];
  const isNumber = /^\d+$/.test(portText ?? "");
  const port = isNumber ? Number(portText) : portText;
  if (name === undefined || (typeof port === "number" && (port < 1 || port > 65_535))) {
    throw new Error(`not a service: ${quote(input)} (write ${TYPE_LABEL})`);
  }
  return { name, ...(namespace !== undefined && { namespace }), ...(port !== undefined && { port }) };
}

function writeService({ namespace, name, port }: { [K in keyof ServiceName]: ServiceName[K] | undefined }): string {
  return `${namespace === undefined ? "" : `${namespace}/`}${name}${port === undefined ? "" : `:${port}`}`;
}
