import { PROGRAM } from "./command.ts";
import { helpRows } from "./help.ts";

/** The help of `doctor`. */
export function doctorHelp(): string {
  return [
    `Usage: ${PROGRAM} doctor [--addr ADDRESS] [flags]`,
    "",
    "Check, from where it is run, the way of a build: name, connection, TLS, HTTP/2, gRPC, BuildKit. With",
    "more flags: the gateway by its admin port, the cluster, registries. Each check says what was seen and",
    "what to do. It changes nothing, and takes less than 10 s (docs/doctor.md).",
    "",
    "Where builds go:",
    helpRows([
      {
        term: "--addr ADDRESS",
        lines: [
          "tcp://host:port or unix:///path of a gateway or of buildkitd.",
          "default tcp://buildkit.buildkit.svc.cluster.local:1234; env BUILDKIT_HOST",
        ],
      },
      { term: "--ca FILE", lines: ["What to trust, as buildx's cacert. Absent: the system's roots."] },
      { term: "--cert FILE", lines: ["The client's certificate, as buildx's cert."] },
      { term: "--key FILE", lines: ["Its key."] },
      { term: "--servername NAME", lines: ["Name that the server's certificate must carry. Absent: the host."] },
    ]),
    "",
    "With any of --ca, --cert, --key and --servername it connects by TLS, else in the clear.",
    "",
    "More to look at:",
    helpRows([
      {
        term: "--admin HOST:PORT",
        lines: ["Admin port of a gateway, also unix:///path.", "env BUILDKIT_GATEWAY_ADMIN_LISTEN"],
      },
      { term: "--kubeconfig FILE", lines: ["The cluster. Absent: the one that it runs in, if any."] },
      { term: "--context NAME", lines: ["Context of that file. Absent: its current one."] },
      { term: "--namespace NAME", lines: ["Namespace of Services that are given without one."] },
      {
        term: "--service NAME",
        lines: ["The replicas' Service, [namespace/]service[:port]. Any number of times.", "default buildkit-replicas"],
      },
      { term: "--config FILE", lines: ["The gateway's configuration: its Services, and what it must be allowed."] },
      { term: "--registry HOST", lines: ["A registry, host[:port]: who trusts it. Any number of times."] },
      { term: "--bundle FILE", lines: ["What the gateway trusts of registries. Absent: Node's own roots."] },
      { term: "--toml FILE", lines: ["The daemon's buildkitd.toml."] },
    ]),
    "",
    "Flags:",
    helpRows([
      { term: "--json", lines: ["Answer for machines."] },
      { term: "--help", lines: ["Show this help."] },
    ]),
    "",
    "Exit status: 0 all is well; 1 a check failed; 2 wrong command line; 3 there are warnings only.",
    "",
  ].join("\n");
}
