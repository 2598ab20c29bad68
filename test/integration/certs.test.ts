import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { mustRun } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { CONNECTION_STORIES } from "../support/stories/all.ts";
import { runStories } from "../support/stories/story.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

await describeWithLab(
  "certificates of `certs`",
  (lab) => {
    const gateways = new Gateways();
    afterAll(() => gateways.kill());

    test.each(["ec", "rsa"])(
      "with %s keys carry builds over mutual TLS on both sides of a gateway",
      async (keyType) => {
        const folder = await lab().newFolder();
        await mustRun(process.execPath, [PROGRAM, "certs", "--out", folder, "--key-type", keyType]);
        const pem = (pair: string, name: string) => join(folder, pair, name);
        const [cert, key, clientCa] = await Promise.all(
          ["tls.crt", "tls.key", "ca.crt"].map((name) => readFile(pem("buildkit-tls", name), "utf8")),
        );
        const replicas = await lab().startReplicas(1, { tlsFront: { cert: cert!, key: key!, clientCa: clientCa! } });
        const { address } = await gateways.start({
          replicas,
          flags: [
            `--tls-cert=${pem("buildkit-gateway-tls", "tls.crt")}`,
            `--tls-key=${pem("buildkit-gateway-tls", "tls.key")}`,
            `--tls-client-ca=${pem("buildkit-gateway-tls", "ca.crt")}`,
            `--replica-ca=${pem("buildkit-gateway-client", "ca.crt")}`,
            `--replica-cert=${pem("buildkit-gateway-client", "tls.crt")}`,
            `--replica-key=${pem("buildkit-gateway-client", "tls.key")}`,
            "--replica-servername=buildkit-replicas.buildkit.svc.cluster.local",
          ],
        });
        const runner = { cacert: "ca.pem", cert: "cert.pem", key: "key.pem" };
        const files = Object.entries(runner).map(([name, file]) => [name, pem("buildkit-runner-tls", file)]);
        const driverOpts = { ...Object.fromEntries(files), servername: "buildkit.buildkit.svc.cluster.local" };
        const stories = CONNECTION_STORIES.slice(0, 2);
        for (const version of BUILDX_VERSIONS) {
          const outcomes = await runStories(stories, lab(), { name: keyType, address, driverOpts, replicas }, version);
          for (const story of stories) expect(outcomes[story.name], story.name).toEqual(story.expected);
        }
      },
    );
  },
  { ownReplicas: true },
);
