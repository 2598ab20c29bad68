import { isIP } from "node:net";
import { z } from "zod";
import { type Address, formatAddress, hostPort, parseAddress } from "../base/address.ts";
import { list, typeMessage } from "./structure.ts";
import { quote, value } from "./value-types.ts";

const ADDRESS_LABEL = "tcp://host:port or unix:///path";

/** A name that appears in logs, metrics and error messages. */
const REPLICA_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/;

/** A host name, or a service name with leading underscores (RFC 2782), with or without a port. */
const DNS_NAME =
  /^((?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)(?::(\d{1,5}))?$/;

/** Where the gateway listens; port 0 takes a free one. */
function listenAddress() {
  return value(ADDRESS_LABEL, (input) => readAddress(input), formatAddress);
}

/** One or more addresses to listen on. */
export function listenAddresses() {
  const identities = (address: Address) =>
    address.t === "tcp" && address.port === 0 ? [] : [`address ${formatAddress(address)}`];
  return list(listenAddress(), { label: ADDRESS_LABEL, writeItem: formatAddress }, identities);
}

/** Where to connect to. */
export function upstreamAddress() {
  return value(ADDRESS_LABEL, readReplicaAddress, formatAddress);
}

/** Where a helper port listens, `host:port` without a scheme; `off` opens none. */
export function adminAddress() {
  const label = "host:port, unix:///path or off";
  return value<Address | "off">(
    label,
    (input) => {
      if (input === "off") return "off";
      const isBare = typeof input === "string" && /^[^/]*:\d{1,5}$/.test(input);
      return isBare ? readBareAddress(input, label) : readAddress(input, `write ${label}`);
    },
    (address) => (address === "off" ? "off" : formatAddress(address).replace(/^tcp:\/\//, "")),
  );
}

/** A replica with the name that people will see. */
export interface NamedAddress {
  /** Unique among the replicas. */
  readonly name: string;
  readonly address: Address;
}

/** The replicas known by address: each `address`, `name=address` or, in a file, a map of the two. */
export function replicaList() {
  const fields = z.strictObject(
    {
      name: value("name", readName).optional(),
      address: value(ADDRESS_LABEL, readReplicaAddress),
    },
    typeMessage("not a replica (write an address or name=address)"),
  );
  const replica = z.preprocess(splitName, fields).transform(
    ({ name, address }): NamedAddress => ({
      name: name ?? (address.t === "unix" ? address.path : hostPort(address.host, address.port)),
      address,
    }),
  );
  return list(
    replica,
    {
      label: `${ADDRESS_LABEL}, also name=address`,
      writeItem: ({ name, address }) => `${name}=${formatAddress(address)}`,
    },
    ({ name, address }) => [`name ${quote(name)}`, `address ${formatAddress(address)}`],
  );
}

/** A name to look replicas up under. */
export interface DnsName {
  readonly name: string;
  /** Port of every address found. Absent: the name has SRV records, which carry ports. */
  readonly port?: number;
}

/** The replicas known by DNS name: each `name:port`, or a bare name that has SRV records. */
export function dnsNameList() {
  const write = ({ name, port }: DnsName) => (port === undefined ? name : hostPort(name, port));
  const label = "name:port, or name for SRV records";
  return list(value(label, readDnsName, write), { label, writeItem: write }, (dnsName) => [
    `name ${quote(write(dnsName))}`,
  ]);
}

function readAddress(input: unknown, hint = `write ${ADDRESS_LABEL}`): Address {
  if (typeof input === "string" && /^(tcp|unix):\/\//.test(input)) return parseAddress(input);
  throw new Error(`not an address: ${quote(input)} (${hint})`);
}

/** A `host:port`; what is wrong with it is said of what was written. */
function readBareAddress(input: string, label: string): Address {
  try {
    return parseAddress(`tcp://${input}`);
  } catch (cause) {
    throw new Error(`not an address: ${quote(input)} (write ${label})`, { cause });
  }
}

function readReplicaAddress(input: unknown): Address {
  const address = readAddress(input);
  if (address.t === "tcp" && (address.host === "" || address.port === 0)) {
    throw new Error(`no ${address.host === "" ? "host" : "port"} to connect to: ${quote(input)}`);
  }
  return address;
}

function readName(input: unknown): string {
  if (typeof input === "string" && REPLICA_NAME.test(input)) return input;
  throw new Error(`not a replica name: ${quote(input)} (letters, digits, ".", "_" and "-")`);
}

function readDnsName(input: unknown): DnsName {
  const [, name, portText] = (typeof input === "string" && input.length <= 259 && DNS_NAME.exec(input)) || [];
  const port = Number(portText ?? 1);
  if (name === undefined || port < 1 || port > 65_535) {
    throw new Error(`not a DNS name: ${quote(input)} (write name:port, or name for SRV records)`);
  }
  if (isIP(name) !== 0) throw new Error(`an address, not a DNS name: ${quote(input)} (list it under replicas)`);
  return portText === undefined ? { name } : { name, port };
}

/** `name=address` as the map that a file would have. An `=` inside the address belongs to the address. */
function splitName(input: unknown): unknown {
  if (typeof input !== "string") return input;
  const [, name, address] = /^([^=/]*)=(.*)$/s.exec(input) ?? [];
  return name === undefined ? { address: input } : { name, address };
}
