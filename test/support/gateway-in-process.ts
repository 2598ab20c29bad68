import { pino } from "pino";
import { formatAddress } from "../../src/base/address.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type Gateway, type GatewayParts, startGateway } from "../../src/gateway.ts";
import { LogLines } from "./lab/log-lines.ts";

/** How a gateway is started. */
export interface InProcessOptions {
  readonly replicas: readonly { readonly name: string; readonly address: string }[];
  /** More flags of `serve`. */
  readonly flags?: readonly string[];
  /** Settings that have no flag, by the names of their variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** What to replace. */
  readonly parts?: GatewayParts;
}

/** A gateway in this process, for tests that replace a part of it. */
export interface InProcessGateway extends Gateway {
  /** Where clients connect, for buildx. */
  readonly address: string;
  /** Its log, from `debug` on. */
  readonly lines: LogLines;
}

/** Start a gateway on a free port, and wait until all its replicas take builds. Stop it. */
export async function startInProcess(options: InProcessOptions): Promise<InProcessGateway> {
  const argv = [
    "--listen=tcp://127.0.0.1:0",
    "--admin=off",
    ...options.replicas.map(({ name, address }) => `--replica=${name}=${address}`),
    ...(options.flags ?? []),
  ];
  const readFile = () => {
    throw new Error("no configuration file here");
  };
  const loaded = loadConfig({ argv, env: options.env ?? {}, readFile });
  if (loaded.t === "invalid") throw new Error(JSON.stringify(loaded.problems));
  const lines = new LogLines();
  const gateway = await startGateway(loaded.config, pino({ level: "debug" }, lines), options.parts);
  for (const { name } of options.replicas) await lines.next("replica state changed", { replica: name, to: "ready" });
  return { ...gateway, address: formatAddress(gateway.listening[0]!), lines };
}
