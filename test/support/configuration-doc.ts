import { SETTINGS, type Setting, SIDECAR_SETTINGS } from "../../src/config/settings.ts";

/** Where the text lives. */
export const CONFIGURATION_DOC = new URL("../../docs/configuration.md", import.meta.url);

const INTRODUCTION = `<!-- Generated from src/config by test/support/generate-docs.ts. Change the schema, not this file. -->

# Configuration

Every setting can be given in a YAML file (\`--config gateway.yaml\` or \`BUILDKIT_GATEWAY_CONFIG\`) and as an environment
variable; the common ones also have a flag. Only \`pools\` are for the file alone. A flag wins over the variable, the variable
over the file, the file over the default. Some of \`traces\` also have OpenTelemetry's own variables, which win over the file and not over
the gateway's; \`OTEL_SDK_DISABLED=true\` and \`OTEL_TRACES_EXPORTER=none\` switch those off.

\`\`\`yaml
listen: tcp://0.0.0.0:1234
replicas:
  - tcp://10.0.0.7:1234
  - name: buildkit-1
    address: tcp://10.0.0.8:1234
tls:
  cert: /etc/buildkit-gateway/tls.crt
  key: /etc/buildkit-gateway/tls.key
maxBuilds: 4
drain:
  grace: 30m
limits:
  solveBytes: 32MiB
\`\`\`

- A **duration** carries its unit: \`250ms\`, \`30s\`, \`5m\`, \`1h30m\`. A **size** too: \`512B\`, \`16KiB\`, \`64MiB\`, \`1GiB\`.
- A **list** is a YAML list, a repeated flag, or one text with commas between the items.
- An **empty** variable counts as not set; an empty section of the file is all defaults.
- A **file** path is relative to the directory that the gateway is started in.
- Unknown keys, flags and \`BUILDKIT_GATEWAY_…\` variables are errors. All errors are reported at once, each with its path and
  where it came from, and the exit status is 2. The variables that Kubernetes sets for a Service of that name
  (\`BUILDKIT_GATEWAY_SERVICE_HOST\`, \`BUILDKIT_GATEWAY_PORT_…\`) are left alone.
- The gateway needs \`replicas\`, \`replicasDns\`, \`replicasService\` or several of them; or \`pools\` instead. Names and
  addresses of \`replicas\` are unique.
- \`buildkit-gateway drain\`, \`explain\` and \`health\` ask the admin port of a gateway that runs. They read no configuration
  file, but two variables of the gateway: \`BUILDKIT_GATEWAY_ADMIN_LISTEN\` says where that port is, and
  \`BUILDKIT_GATEWAY_ADMIN_TOKEN_FILE\` where the token is that \`drain\` needs over TCP.

A **pool** is a fleet of its own with its own way in, its own queue and its own memory of caches; \`affinity\`, \`placement\`
and \`queue\` hold for each. With \`pools\`, every replica is listed in a pool. A pool's name has 1 to 63 of a-z, 0-9 and "-":

\`\`\`yaml
platforms: linux/amd64
pools:
  amd64:
    listen: tcp://0.0.0.0:1234
    replicasDns: buildkit-amd64.ci.svc:1234
  arm64:
    listen: tcp://0.0.0.0:1235
    replicasDns: buildkit-arm64.ci.svc:1234
    platforms: linux/arm64
    maxBuilds: 4
\`\`\`

With \`servernames: amd64.buildkit.example\` in place of its \`listen\` or beside it, a pool is reached on the common \`listen\`
by the name that TLS clients ask for; this needs \`tls\`.
`;

const SIDECAR_INTRODUCTION = `## A sidecar

\`buildkit-gateway sidecar\` has the settings below, and of the gateway's \`log\`, \`drain\` and \`limits\`. Its variables are its
own container's: where one is named like a variable of the gateway's, it means what is said here.
`;

/** The reference of all settings, one table for each section of the schema. */
export function configurationDoc(): string {
  const shared = new Set(SETTINGS.map(rowOf));
  const own = SIDECAR_SETTINGS.filter((setting) => !shared.has(rowOf(setting)));
  return [INTRODUCTION, ...tables(SETTINGS, ""), SIDECAR_INTRODUCTION, ...tables(own, " of a sidecar")].join("\n");
}

/** A table for each section; `whose` follows its title. */
function tables(settings: readonly Setting[], whose: string): string[] {
  const titles = new Set(settings.map(titleOf));
  return [...titles].map((title) =>
    table(
      `${title}${whose}`,
      settings.filter((setting) => titleOf(setting) === title),
    ),
  );
}

function titleOf({ keys }: Setting): string {
  return keys.length === 1 ? "Top level" : `\`${keys[0]}\``;
}

function table(title: string, settings: readonly Setting[]): string {
  const header = ["Setting", "Type", "Default", "Flag and variable", "Meaning"];
  return `${[`## ${title}`, "", line(header), line(header.map(() => "---")), ...settings.map(rowOf)].join("\n")}\n`;
}

function rowOf({ path, typeLabel, isList, defaultText = "–", flag, variable, description }: Setting): string {
  const ways = [flag, variable].flatMap((way) => (way === undefined ? [] : `\`${way}\``));
  return line([
    `\`${path}\``,
    isList ? `list: ${typeLabel}` : typeLabel,
    defaultText,
    ways.join("<br>") || "file only",
    description,
  ]);
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
