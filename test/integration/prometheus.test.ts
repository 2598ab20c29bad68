import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { DEPLOY_DIR } from "../support/deploy/manifests.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import { runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { pollUntil } from "../support/lab/poll.ts";
import { LabPrometheus } from "../support/lab/prometheus.ts";
import { provisionPrometheus } from "../support/lab/provision.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { metricNames } from "../support/metrics-doc.ts";
import { makeBuildContext } from "../support/stories/build-context.ts";

const MONITORING = join(DEPLOY_DIR, "components/monitoring");

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const alerts = parse(await readFile(join(MONITORING, "alerts.yaml"), "utf8")) as {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
};
const rules = alerts.spec.groups.flatMap((group) => group.rules);

const dashboard = JSON.parse(await readFile(join(MONITORING, "dashboard.json"), "utf8")) as {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
};

const programs = await provisionPrometheus(LAB_CACHE_DIR);

await describeWithLab("a real Prometheus", (lab) => {
  const gateways = new Gateways();
  let gateway: GatewayProcess;
  let prometheus: LabPrometheus;
  let folder: string;
  let promtool: string;

  beforeAll(async () => {
    if ("reason" in programs) throw new Error(programs.reason);
    promtool = join(programs.folder, "promtool");
    const [replica] = await lab().startReplicas(1);
    folder = await lab().newFolder();
    const authority = new TestAuthority();
    const { cert, key } = authority.issue({ commonName: "gateway", names: ["localhost"] });
    await writeFile(join(folder, "cert.pem"), cert);
    await writeFile(join(folder, "key.pem"), key);
    // Found by name, so that there is a discovery; TLS beside cleartext, so that there is a certificate.
    const { port } = new URL(replica!.address.replace("tcp:", "http:"));
    gateway = await gateways.start({
      until: "serving",
      flags: [
        `--replicas-dns=localhost:${port}`,
        `--tls-cert=${join(folder, "cert.pem")}`,
        `--tls-key=${join(folder, "key.pem")}`,
      ],
      env: { BUILDKIT_GATEWAY_METRICS_REPOSITORIES: "5" },
    });
    prometheus = await LabPrometheus.start({
      folder: programs.folder,
      dir: folder,
      targets: [gateway.adminAddress],
      groups: alerts.spec.groups,
    });
    await buildStory();
  });
  afterAll(async () => {
    await prometheus?.close();
    await gateways.kill();
  });

  /** Builds that succeed, first cold and then warm, that fail, and that the gateway refuses. */
  async function buildStory(): Promise<void> {
    const { tools } = lab();
    const context = await makeBuildContext({ newFolder: () => lab().newFolder(), busybox: tools.busybox }, "");
    const failing = await lab().newFolder();
    await writeFile(join(failing, "Dockerfile"), "FROM scratch\nCOPY nothing /\n");
    const version = BUILDX_VERSIONS.find((one) => tools.buildx[one] !== undefined)!;
    const buildx = await lab().createBuilder({ version, address: gateway.address });
    for (let build = 0; build < 4; build++) {
      await buildx.mustRun(["build", "--output=type=image,name=registry.example/acme/app", context]);
    }
    expect((await buildx.run(["build", "--output=type=cacheonly", failing])).exitCode).not.toBe(0);
  }

  async function metricsText(): Promise<string> {
    return await (await fetch(`http://${gateway.adminAddress}/metrics`)).text();
  }

  test("finds nothing wrong with what the gateway tells it, nor with the alerts", async () => {
    const checked = await runCommand(promtool, ["check", "metrics"], { input: await metricsText() });
    expect(checked).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await runCommand(promtool, ["check", "rules", join(folder, "rules.yml")])).toMatchObject({ exitCode: 0 });
  });

  test("hears after one build story of every metric that is documented, and of no other", async () => {
    const text = await metricsText();
    const told = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);
    expect(told.sort()).toEqual(await metricNames());
    const isTold = (name: string) => new RegExp(`^${name}(_bucket)?[{ ]`, "m").test(text);
    // Garbage is collected, or not.
    const silent = told.filter((name) => !isTold(name));
    expect(silent.filter((name) => !/gc_duration/.test(name))).toEqual([]);
  });

  test("evaluates each alert, whose left side has data", async () => {
    const names = rules.map(({ alert }) => alert).sort();
    await pollUntil(
      "every rule to be evaluated",
      async () => (await prometheus.healthyRules()).length === names.length,
    );
    for (const { alert, expr } of rules) {
      const [, left] = /^(.*) [<>] [\d.]+$/s.exec(expr.trim()) ?? [];
      expect(left, alert).toBeDefined();
      if (SILENT.includes(alert)) await prometheus.query(left!);
      else await expectData(left!);
    }
  });

  test("answers each query of the dashboard", async () => {
    for (const { targets } of dashboard.panels) {
      for (const { expr } of targets) await expectData(expr);
    }
  });

  async function expectData(expression: string): Promise<void> {
    // What the gateway has told a few times has a rate.
    const filled = expression.replaceAll("$__rate_interval", "1m").replaceAll('"$pool"', '".*"');
    await pollUntil(`data of ${filled}`, async () => (await prometheus.query(filled)).length > 0, {
      timeoutMs: 20_000,
      intervalMs: 500,
    });
  }
});

/** What speaks only of faults that this story has none of. */
const SILENT: readonly string[] = ["BuildkitNoReplicaTakesBuilds", "BuildkitClientsRefused"];
