import { PROGRAM } from "./command.ts";
import { helpRows } from "./help.ts";

/** The help of `certs`. */
export function certsHelp(): string {
  return [
    `Usage: ${PROGRAM} certs [--output FORMAT] [--out PATH] [--server …] [--client …] [flags]`,
    "",
    "Make an authority and key pairs for mutual TLS, for a lab or for those without cert-manager. Without",
    "--server and --client these are the pairs that deploy/ expects: buildkit-gateway-tls,",
    "buildkit-gateway-client, buildkit-tls and buildkit-runner-tls.",
    "",
    "Flags:",
    helpRows([
      {
        term: "--output FORMAT",
        lines: [
          "files: a folder for each pair, with ca.pem, cert.pem, key.pem and the same as ca.crt, tls.crt, tls.key. " +
            "secrets: Kubernetes Secrets with all six, and the authority as buildkit-ca.",
          "default files",
        ],
      },
      {
        term: "--out PATH",
        lines: ["Folder of the files (default certs), or file of the Secrets (default: print them)."],
      },
      {
        term: "--server NAME=HOST,…",
        lines: ["A pair for a server, for host names, *.domain, addresses; repeatable."],
      },
      {
        term: "--client NAME[=ID,…]",
        lines: ["A pair for a client with this common name, and host names or URIs that tell who it is; repeatable."],
      },
      { term: "--preset kubernetes", lines: ["The pairs of deploy/ as well as those of --server and --client."] },
      { term: "--name HOST", lines: ["One more name of the gateways in buildkit-gateway-tls; repeatable."] },
      { term: "--namespace NAME", lines: ["Where the fleet and its Secrets are.", "default buildkit"] },
      { term: "--runner-namespace NAME", lines: ["Where buildkit-runner-tls goes.", "default that of --namespace"] },
      { term: "--days NUMBER", lines: ["How long a pair is valid, at most as long as the authority.", "default 365"] },
      { term: "--key-type TYPE", lines: ["ec (P-256) or rsa (3,072 bits).", "default ec"] },
      { term: "--ca-name NAME", lines: ["Common name of the new authority.", "default sonda-red buildkit"] },
      { term: "--ca-days NUMBER", lines: ["How long the new authority is valid.", "default 3650"] },
      { term: "--ca-cert FILE", lines: ["Use an authority that there is, with --ca-key."] },
      { term: "--ca-key FILE", lines: ["Its private key, without a passphrase."] },
      { term: "--force", lines: ["Replace files that differ. Without it nothing is ever overwritten."] },
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Keys are readable by their owner only. The authority's key is ca-key.pem or the Secret buildkit-ca:",
    "keep it to issue again, and away from all who do not.",
    "",
    "Exit status: 0 made; 1 not made; 2 wrong command line.",
    "",
  ].join("\n");
}
