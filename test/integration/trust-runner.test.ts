import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Buildx } from "../support/lab/buildx.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import { type CommandResult, mustRun, runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { inPrivateEtc, makePrivateEtc, PRIVATE_HOST, privateSurroundings } from "../support/lab/private-etc.ts";
import { provisionRegistry } from "../support/lab/provision.ts";
import { LabRegistry } from "../support/lab/registry.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { serveToken, TOKEN_ISSUER } from "../support/lab/token-server.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const registryProgram = await provisionRegistry(LAB_CACHE_DIR);

await describeWithLab(
  "a registry with tokens behind a private authority",
  (lab) => {
    const root = new TestAuthority("sonda-red");
    const tls = root.issue({ commonName: PRIVATE_HOST, names: [PRIVATE_HOST] });
    const signer = root.issue({ commonName: TOKEN_ISSUER.issuer });
    const scopes: string[] = [];
    let tokenServer: Server;
    let registry: LabRegistry;
    let replica: LabReplica;
    let gateway: GatewayProcess;
    let buildx: Buildx;
    let context: string;
    /** The runner's own /etc: it knows the host's name, and trusts somebody else. */
    let runnerEtc: string;
    let bundle: string;

    beforeAll(async () => {
      if ("reason" in registryProgram) throw new Error(`no docker-registry: ${registryProgram.reason}`);
      tokenServer = createServer(tls, (request, response) => scopes.push(...serveToken(signer, request, response)));
      tokenServer.listen(0, "127.0.0.1");
      await once(tokenServer, "listening");
      const realm = `https://${PRIVATE_HOST}:${(tokenServer.address() as AddressInfo).port}/token`;
      registry = await LabRegistry.start({
        file: registryProgram.file,
        dir: await lab().newFolder(),
        tls,
        tokens: { realm, ...TOKEN_ISSUER, cert: root.cert },
      });
      const work = await lab().newFolder();
      const etc = await makePrivateEtc(work);
      runnerEtc = await makePrivateEtc(await lab().newFolder());
      // The daemon trusts the authority from the start.
      bundle = join(etc, "ssl/certs/ca-certificates.crt");
      await writeFile(bundle, root.cert);
      const toml = join(work, "buildkitd.toml");
      await writeFile(toml, "");
      const [started] = await lab().startReplicas(1, { surroundings: await privateSurroundings(etc, toml) });
      replica = started!;
      gateway = await GatewayProcess.start({ replicas: [replica] });
      buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      context = await lab().newFolder();
      await writeFile(join(context, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n");
    });
    afterAll(async () => {
      await gateway?.kill();
      await replica?.close();
      await registry?.close();
      tokenServer?.closeAllConnections();
      tokenServer?.close();
    });

    function push(env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
      const output = `--output=type=image,name=${PRIVATE_HOST}:${registry.port}/app:1,push=true`;
      const { file, args } = inPrivateEtc(runnerEtc);
      return runCommand(file, [...args, buildx.file, "build", "--provenance=false", output, context], {
        env: { ...buildx.env, ...env },
      });
    }

    test("a runner without the authority gets no token, although the daemon trusts the registry", async () => {
      const { exitCode, stderr } = await push();
      expect(exitCode).not.toBe(0);
      expect(stderr).toMatch(/failed to verify certificate|unknown authority/);
      expect(scopes).toEqual([]);
    });

    test("a runner with the variables that trust inject appends gets its token", async () => {
      const envFile = join(await lab().newFolder(), "github.env");
      const inject = ["trust", "inject", "--for=runner", `--bundle=${bundle}`];
      await mustRun(process.execPath, [PROGRAM, ...inject], { env: { GITHUB_ENV: envFile } });
      const lines = (await readFile(envFile, "utf8")).trim().split("\n");
      const result = await push(Object.fromEntries(lines.map((line) => line.split("=") as [string, string])));
      expect(result.exitCode, result.stderr).toBe(0);
      expect(scopes.join(" ")).toContain("repository:app:");
    });

    test("a runner that leaves tokens to the daemon needs no authority", async () => {
      const result = await push({ BUILDKIT_NO_CLIENT_TOKEN: "1" });
      expect(result.exitCode, result.stderr).toBe(0);
    });
  },
  { ownReplicas: true },
);
