import { type ReportFault, section } from "./structure.ts";
import { choice, flag, word } from "./value-types.ts";

/** What a client may speak on the gateway's port. */
export const TLS_MODES = ["off", "optional", "required"] as const;

/** `tls`: the certificate that clients see, and whether they must present one. */
export const tlsSchema = section(
  {
    mode: choice(TLS_MODES).optional().meta({
      description:
        "What clients may speak. `optional` takes TLS and cleartext on the same port, told apart by the first byte.",
      defaultText: "`required` with `tls.clientCa`, `optional` with a certificate alone, else `off`",
    }),
    cert: word("file").optional().describe("Certificate chain shown to clients, PEM, leaf first."),
    key: word("file").optional().describe("Private key of `tls.cert`, PEM."),
    clientCa: word("file")
      .optional()
      .describe(
        "Authorities of client certificates, PEM. A TLS client must then present a certificate that one of them " +
          "signed. With `tls.mode` set to `optional`, cleartext still needs none.",
      ),
  },
  (tls, report) => {
    checkPair(tls, "tls", report);
    if (tls.clientCa !== undefined && tls.cert === undefined) report("clientCa", "needs tls.cert and tls.key");
    if ((tls.mode === "optional" || tls.mode === "required") && tls.cert === undefined) {
      report("mode", `${tls.mode} needs tls.cert and tls.key`);
    }
  },
).transform((tls) => ({ ...tls, mode: tls.mode ?? defaultMode(tls) }));

/** How to speak to a peer that we connect to, in the section `name`. On when anything of it is given. */
export function tlsClientSchema(name: string, peer: string) {
  return section(
    {
      enabled: flag()
        .optional()
        .meta({
          description: `Speak TLS to ${peer}. \`true\` with nothing else trusts the system's authorities.`,
          defaultText: `\`true\` when any other \`${name}\` key is given`,
        }),
      ca: word("file")
        .optional()
        .meta({
          description: `Authorities that may sign the certificate of ${peer}, PEM.`,
          defaultText: "the system's",
        }),
      cert: word("file").optional().describe(`Certificate chain shown to ${peer} when asked for one, PEM, leaf first.`),
      key: word("file").optional().describe(`Private key of \`${name}.cert\`, PEM.`),
      servername: word("host name")
        .optional()
        .meta({
          description: `Name that the certificate of ${peer} must carry.`,
          defaultText: "the host of the address",
        }),
    },
    (keys, report) => {
      checkPair(keys, name, report);
    },
  ).transform((keys) => ({
    ...keys,
    enabled: keys.enabled ?? Object.values(keys).some((given) => given !== undefined),
  }));
}

/** `replicaTls`: how to speak to replicas. */
export const replicaTlsSchema = tlsClientSchema("replicaTls", "every replica");

function checkPair(keys: Readonly<Record<string, unknown>>, name: string, report: ReportFault): void {
  if (keys.cert !== undefined && keys.key === undefined) report("cert", `needs ${name}.key`);
  if (keys.key !== undefined && keys.cert === undefined) report("key", `needs ${name}.cert`);
}

/** A client CA without a word about cleartext means that nobody gets in without a certificate. */
function defaultMode(tls: { readonly cert?: unknown; readonly clientCa?: unknown }): (typeof TLS_MODES)[number] {
  if (tls.clientCa !== undefined) return "required";
  return tls.cert === undefined ? "off" : "optional";
}
