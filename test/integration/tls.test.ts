import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { DriverOpts } from "../support/lab/buildx.ts";
import { type IssuedCertificate, TestAuthority } from "../support/lab/certificates.ts";
import { controlClient } from "../support/lab/control-client.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { type GatewayOptions, GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { CONNECTION_STORIES } from "../support/stories/all.ts";
import { BIG_CONTEXT_STORY, BIG_EXPORT_STORY } from "../support/stories/big-files.ts";
import { runStories, type Story, type Target } from "../support/stories/story.ts";

const BIG_FILE_BYTES = 64 * 2 ** 20;

/** PEM files of one party. */
interface Files {
  readonly cert: string;
  readonly key: string;
}

await describeWithLab(
  "TLS",
  (lab) => {
    const authority = new TestAuthority();
    const foreign = new TestAuthority("somebody else");
    const runner = authority.issue({ commonName: "runner" });
    let folder: string;
    let ca: string;
    let files: Record<"gateway" | "runner" | "stranger", Files>;
    let cleartext: readonly LabReplica[];
    let gateway: GatewayProcess | undefined;

    beforeAll(async () => {
      cleartext = await lab().startReplicas(1);
      folder = await lab().newFolder();
      ca = await file("ca", authority.cert);
      files = {
        gateway: await certificateFiles(
          "gateway",
          authority.issue({ commonName: "gateway", names: ["gateway.test", "localhost"] }),
        ),
        runner: await certificateFiles("runner", runner),
        stranger: await certificateFiles("stranger", foreign.issue({ commonName: "stranger" })),
      };
    });
    afterEach(async () => {
      await gateway?.kill();
      gateway = undefined;
    });

    async function file(name: string, content: string): Promise<string> {
      const path = join(folder, `${name}.pem`);
      await writeFile(path, content);
      return path;
    }

    async function certificateFiles(name: string, { cert, key }: IssuedCertificate): Promise<Files> {
      return { cert: await file(`${name}-cert`, cert), key: await file(`${name}-key`, key) };
    }

    async function startGateway(options: GatewayOptions): Promise<GatewayProcess> {
      gateway = await GatewayProcess.start(options);
      return gateway;
    }

    const serverFlags = () => [`--tls-cert=${files.gateway.cert}`, `--tls-key=${files.gateway.key}`];
    const driverOpts = (own: Files): DriverOpts => ({ cacert: ca, ...own, servername: "gateway.test" });

    async function expectStories(stories: readonly Story[], target: Omit<Target, "name">): Promise<void> {
      for (const version of BUILDX_VERSIONS) {
        const outcomes = await runStories(stories, lab(), { name: "TLS", ...target }, version, {
          bigFileBytes: BIG_FILE_BYTES,
        });
        for (const story of stories) expect(outcomes[story.name], story.name).toEqual(story.expected);
      }
    }

    test("with certificates on both sides of the gateway carries builds", async () => {
      const tlsFront = {
        ...authority.issue({ commonName: "replica", names: ["replica.test"] }),
        clientCa: authority.cert,
      };
      const replicas = await lab().startReplicas(1, { tlsFront });
      const { address } = await startGateway({
        replicas,
        flags: [
          ...serverFlags(),
          `--tls-client-ca=${ca}`,
          `--replica-ca=${ca}`,
          `--replica-cert=${files.runner.cert}`,
          `--replica-key=${files.runner.key}`,
          "--replica-servername=replica.test",
        ],
      });
      const stories = [...CONNECTION_STORIES, BIG_CONTEXT_STORY, BIG_EXPORT_STORY];
      await expectStories(stories, { address, driverOpts: driverOpts(files.runner), replicas });
    });

    test("and cleartext share one port where it is optional", async () => {
      const { address } = await startGateway({ replicas: cleartext, flags: serverFlags() });
      const stories = CONNECTION_STORIES.slice(0, 2);
      await expectStories(stories, { address, driverOpts: driverOpts(files.runner), replicas: cleartext });
      await expectStories(stories, { address, replicas: cleartext });
      // buildx offers no protocol by ALPN; other gRPC clients offer h2.
      const channelCredentials = credentials.createSsl(Buffer.from(authority.cert));
      const client = controlClient(address.replace("tcp://127.0.0.1", "localhost"), channelCredentials);
      expect(await client.workerUuid()).toMatch(/^buildkit-gateway-[0-9a-f]{16}$/);
    });

    test("refuses clients without a certificate, with somebody else's, and in the clear", async () => {
      const flags = [...serverFlags(), `--tls-client-ca=${ca}`];
      const { address, lines } = await startGateway({ replicas: cleartext, flags });
      const nameless = { cacert: ca, servername: "gateway.test" };
      const refused: readonly (readonly [reason: string, driverOpts: DriverOpts])[] = [
        ["TLS is required on this address (tls.mode)", {}],
        ["no client certificate issued by CN=test authority was shown (tls.clientCa)", nameless],
        // Having none of that authority, buildx shows none.
        ["no client certificate issued by CN=test authority was shown (tls.clientCa)", driverOpts(files.stranger)],
      ];
      for (const version of BUILDX_VERSIONS) {
        for (const [reason, opts] of refused) {
          const buildx = await lab().createBuilder({ version, address, driverOpts: opts });
          const { exitCode, stderr } = await buildx.run(["build", "--output=type=cacheonly", folder]);
          expect(exitCode).toBe(1);
          const lastLine = stderr.trimEnd().split("\n").at(-1);
          expect(lastLine).toMatch(/^ERROR: .*Unauthenticated: /);
          expect(lastLine).toContain(`Unauthenticated: ${reason}`);
        }
      }
      // The log says each once a minute, however often clients try.
      for (const [reason] of refused)
        expect(lines.of("client refused", { client: "127.0.0.1", reason }).length).toBeLessThan(4);
      expect(lines.of("client refused").length).toBeGreaterThan(1);
    });

    test("to a replica that cannot prove its name puts it out, and says why", async () => {
      const tlsFront = authority.issue({ commonName: "replica", names: ["another.test"] });
      const replicas = await lab().startReplicas(1, { tlsFront });
      const { lines } = await startGateway({
        replicas,
        flags: [`--replica-ca=${ca}`, "--replica-servername=replica.test"],
        until: "serving",
      });
      const { reason } = await lines.next("replica state changed", { to: "ejected" });
      expect(reason).toContain("replica.test");
    });
  },
  { ownReplicas: true },
);
