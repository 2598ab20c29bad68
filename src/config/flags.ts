/** A command line flag that sets one setting. */
export interface SettingFlag {
  /** With its dashes. */
  readonly flag: string;
  /** Path of the setting in the schema. */
  readonly path: string;
  /** Stands for the value in help texts. */
  readonly placeholder: string;
}

/** The flags of `serve`, in the order of its help. Settings without one are set by file or environment. */
export const SETTING_FLAGS: readonly SettingFlag[] = [
  { flag: "--listen", path: "listen", placeholder: "ADDRESS" },
  { flag: "--replica", path: "replicas", placeholder: "[NAME=]ADDRESS" },
  { flag: "--replicas-dns", path: "replicasDns", placeholder: "NAME[:PORT]" },
  { flag: "--replicas-service", path: "replicasService", placeholder: "[NAMESPACE/]SERVICE[:PORT]" },
  { flag: "--max-builds", path: "maxBuilds", placeholder: "NUMBER" },
  { flag: "--workers", path: "workers", placeholder: "NUMBER" },
  { flag: "--tls-mode", path: "tls.mode", placeholder: "MODE" },
  { flag: "--tls-cert", path: "tls.cert", placeholder: "FILE" },
  { flag: "--tls-key", path: "tls.key", placeholder: "FILE" },
  { flag: "--tls-client-ca", path: "tls.clientCa", placeholder: "FILE" },
  { flag: "--replica-ca", path: "replicaTls.ca", placeholder: "FILE" },
  { flag: "--replica-cert", path: "replicaTls.cert", placeholder: "FILE" },
  { flag: "--replica-key", path: "replicaTls.key", placeholder: "FILE" },
  { flag: "--replica-servername", path: "replicaTls.servername", placeholder: "NAME" },
  { flag: "--admin", path: "admin.listen", placeholder: "HOST:PORT" },
  { flag: "--log-level", path: "log.level", placeholder: "LEVEL" },
  { flag: "--grace", path: "drain.grace", placeholder: "DURATION" },
  { flag: "--drain-delay", path: "drain.delay", placeholder: "DURATION" },
  { flag: "--patience", path: "affinity.patience", placeholder: "DURATION" },
  { flag: "--queue-timeout", path: "queue.timeout", placeholder: "DURATION" },
  { flag: "--load-factor", path: "placement.loadFactor", placeholder: "NUMBER" },
];

/** The flags of `sidecar`, in the order of its help. */
export const SIDECAR_FLAGS: readonly SettingFlag[] = [
  { flag: "--listen", path: "listen", placeholder: "ADDRESS" },
  { flag: "--upstream", path: "upstream", placeholder: "ADDRESS" },
  { flag: "--upstream-ca", path: "upstreamTls.ca", placeholder: "FILE" },
  { flag: "--upstream-cert", path: "upstreamTls.cert", placeholder: "FILE" },
  { flag: "--upstream-key", path: "upstreamTls.key", placeholder: "FILE" },
  { flag: "--upstream-servername", path: "upstreamTls.servername", placeholder: "NAME" },
  { flag: "--identity", path: "identity.claims", placeholder: "NAME=TEXT" },
  { flag: "--identity-file", path: "identity.file", placeholder: "FILE" },
  { flag: "--admin", path: "admin.listen", placeholder: "HOST:PORT" },
  { flag: "--log-level", path: "log.level", placeholder: "LEVEL" },
  { flag: "--grace", path: "drain.grace", placeholder: "DURATION" },
  { flag: "--drain-delay", path: "drain.delay", placeholder: "DURATION" },
];

/** Names the configuration file. */
export const CONFIG_FLAG = "--config";

/** Names the configuration file where no flag does. */
export const CONFIG_VARIABLE = "BUILDKIT_GATEWAY_CONFIG";
