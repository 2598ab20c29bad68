import { once } from "node:events";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Buildx } from "../support/lab/buildx.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { type IssuedCertificate, type KeyKind, TestAuthority } from "../support/lab/certificates.ts";
import { mustRun, runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { serveGit } from "../support/lab/git-server.ts";
import { inPrivateEtc, makePrivateEtc, PRIVATE_HOST, privateSurroundings } from "../support/lab/private-etc.ts";
import { provisionRegistry } from "../support/lab/provision.ts";
import { LabRegistry } from "../support/lab/registry.ts";
import type { LabReplica } from "../support/lab/replica.ts";

const PROGRAM = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

const UNTRUSTED =
  /certificate signed by unknown authority|failed to verify certificate|certificate verification failed/;

/** What a step finds in the image that it runs in. */
const IMAGE_BUNDLE = new TestAuthority("an authority of the image's own").cert;

/** Where the image keeps it. */
const STEP_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";

/** A step that fetches over TLS: buildx, which is the one client here that trusts what a system trusts. */
const FETCH_STEP = (registry: string) => `RUN ["/bin/buildx", "imagetools", "inspect", "${registry}/app:1"]`;

const registryProgram = await provisionRegistry(LAB_CACHE_DIR);

/** Who signs what the servers send: a root alone, or a root through an intermediate. */
const AUTHORITIES: readonly { readonly name: string; readonly key: KeyKind; readonly isIntermediate: boolean }[] = [
  { name: "an RSA root and an intermediate", key: "rsa", isIntermediate: true },
  { name: "an elliptic-curve root", key: "ec", isIntermediate: false },
];

await describeWithLab(
  "a private authority",
  (lab) => {
    describe.each(AUTHORITIES)("with $name", ({ key, isIntermediate }) => {
      const root = new TestAuthority("sonda-red", { key });
      const issuer = isIntermediate ? new TestAuthority("sonda-red issuing", { key, issuer: root }) : root;
      let replica: LabReplica;
      let gateway: GatewayProcess;
      let buildx: Buildx;
      let registry: LabRegistry;
      let files: Server;
      let name: string;
      let serverUrl: string;
      let work: string;
      let etc: string;
      let toml: string;
      let images: string;

      beforeAll(async () => {
        if ("reason" in registryProgram) throw new Error(`no docker-registry: ${registryProgram.reason}`);
        const leaf = issuer.issue({ commonName: PRIVATE_HOST, names: [PRIVATE_HOST], key });
        const tls: IssuedCertificate = { key: leaf.key, cert: isIntermediate ? leaf.cert + issuer.cert : leaf.cert };
        work = await lab().newFolder();
        etc = await makePrivateEtc(work);
        toml = join(work, "buildkitd.toml");
        await writeFile(toml, TOML);
        images = await makeImageContext(await lab().newFolder(), lab().tools.busybox, buildxFile());
        registry = await LabRegistry.start({ file: registryProgram.file, dir: await lab().newFolder(), tls });
        name = `${PRIVATE_HOST}:${registry.port}`;
        const repositories = await makeRepository(await lab().newFolder());
        files = createServer(tls, (request, response) => {
          if (request.url?.startsWith("/app.git")) serveGit(repositories, request, response);
          else response.end("hello");
        });
        files.listen(0, "127.0.0.1");
        await once(files, "listening");
        serverUrl = `https://${PRIVATE_HOST}:${(files.address() as AddressInfo).port}`;
        const surroundings = await privateSurroundings(etc, toml);
        const [started] = await lab().startReplicas(1, { surroundings });
        replica = started!;
        gateway = await GatewayProcess.start({ replicas: [replica] });
        buildx = await lab().createBuilder({ version: "0.29", address: gateway.address });
      });
      afterAll(async () => {
        await gateway?.kill();
        await replica?.close();
        await registry?.close();
        files?.closeAllConnections();
        files?.close();
      });

      function buildxFile(): string {
        return lab().tools.buildx["0.29"] ?? lab().tools.buildx["0.13"]!;
      }

      function trust(...args: string[]): Promise<string> {
        return mustRun(process.execPath, [PROGRAM, "trust", ...args], { env: { PATH: process.env.PATH } });
      }

      /** Build a Dockerfile in the images' folder; its whole output. */
      async function build(dockerfile: string, ...args: string[]): Promise<{ exitCode: number; output: string }> {
        const hosts = [`--add-host=${PRIVATE_HOST}=127.0.0.1`, "--network=host", "--allow=network.host"];
        const flags = ["build", "--provenance=false", ...hosts, "-f", "-", ...args, images];
        const { exitCode, stdout, stderr } = await buildx.run(flags, { input: dockerfile });
        return { exitCode, output: stdout + stderr };
      }

      const BASE = "FROM scratch\nCOPY / /\n";
      const uses = (): Record<string, () => Promise<{ exitCode: number; output: string }>> => ({
        "a push": () => build(BASE, `--output=type=image,name=${name}/app:1,push=true`),
        "a pull of a base image": () =>
          build(`FROM ${name}/app:1\nRUN ["/bin/true"]\n`, "--pull", "--output=type=cacheonly"),
        "an export of a registry cache": () =>
          build(
            `${BASE}RUN ["/bin/true"]\n`,
            "--output=type=cacheonly",
            `--cache-to=type=registry,ref=${name}/app:cache`,
          ),
        "a download by ADD": () => build(`FROM scratch\nADD ${serverUrl}/hello /hello\n`, "--output=type=cacheonly"),
        "a clone by git": () => build(`FROM scratch\nADD ${serverUrl}/app.git#main /app\n`, "--output=type=cacheonly"),
        "a step that fetches": () =>
          build(`${BASE}${FETCH_STEP(name)}\n`, "--output=type=cacheonly", "--progress=plain"),
      });

      /** Build BASE with a step, and read a file of the result. */
      async function resultOf(step: string, path: string): Promise<{ output: string; content: string }> {
        const out = await lab().newFolder();
        const { exitCode, output } = await build(`${BASE}${step}\n`, `--output=type=local,dest=${out}`);
        expect(exitCode, output).toBe(0);
        return { output, content: await readFile(join(out, path), "utf8") };
      }

      /** `trust verify`, seeing /etc as the daemon does. */
      async function verify(): Promise<{ exitCode: number; legs: unknown }> {
        const flags = ["trust", "verify", `--registry=${name}`, `--toml=${toml}`, "--leg=daemon,runner", "--json"];
        const { file, args } = inPrivateEtc(etc);
        const { exitCode, stdout } = await runCommand(file, [...args, process.execPath, PROGRAM, ...flags], {
          env: { PATH: process.env.PATH },
        });
        return { exitCode, legs: JSON.parse(stdout).registries[0].legs };
      }

      const READ_BUNDLE = `RUN ["/bin/sh", "-c", "cat ${STEP_BUNDLE} >/read"]`;

      test("before trust inject nothing works, and trust verify says what is missing", async () => {
        for (const [use, run] of Object.entries(uses())) {
          const { exitCode, output } = await run();
          expect(exitCode, `${use}: ${output}`).not.toBe(0);
          expect(output, use).toMatch(UNTRUSTED);
        }
        const { exitCode, legs } = await verify();
        expect(exitCode).toBe(1);
        const kind = isIntermediate ? "missing_root" : "missing_intermediate";
        expect(legs).toMatchObject([
          { leg: "daemon", isOk: false, kind, reason: expect.stringContaining("CN=sonda-red") },
          { leg: "runner", isOk: false, kind },
        ]);
        expect((await resultOf(READ_BUNDLE, "read")).content).toBe(IMAGE_BUNDLE);
      });

      /** Inject for whichever daemon this is, and start it anew, as buildkitd reads its configuration only then. */
      async function injectForDaemon(...more: string[]): Promise<void> {
        const target =
          lab().tools.replicas.t === "buildkitd"
            ? ["--for=buildkitd", `--toml=${toml}`, `--out=${toml}`]
            : ["--for=dockerd", `--certs-dir=${join(etc, "docker/certs.d")}`];
        await trust("inject", ...target, `--registry=${name}`, `--map=${etc}=/etc`, ...more);
        await replica.restart();
        await gateway.lines.next("replica state changed", { to: "ready" });
      }

      const ownBundle = () => join(etc, "docker/sonda-red.pem");

      test("the daemon's own list of authorities opens the registry, and nothing else", async () => {
        await writeFile(join(work, "sonda-red.crt"), root.cert);
        await trust("build", `--source=${join(work, "sonda-red.crt")}`, `--out=${ownBundle()}`);
        await injectForDaemon(`--bundle=${ownBundle()}`);
        const { "a push": push, "a download by ADD": add } = uses();
        expect(await push!()).toMatchObject({ exitCode: 0 });
        const { exitCode, output } = await add!();
        expect(exitCode).not.toBe(0);
        expect(output).toMatch(UNTRUSTED);
      });

      test("after trust inject everything works, and trust verify says so", async () => {
        const place = `--place=${join(etc, "ssl/certs/ca-certificates.crt")}`;
        const steps = ["--for=run-steps", `--wrapper=${join(work, "runc-wrapper")}`];
        await injectForDaemon(...steps, `--bundle=${ownBundle()}`, place);
        for (const [use, run] of Object.entries(uses())) {
          const { exitCode, output } = await run();
          expect(exitCode, `${use}: ${output}`).toBe(0);
        }
        const { exitCode, legs } = await verify();
        expect(legs).toMatchObject([
          { leg: "daemon", isOk: true, isVerified: true, detail: "CN=sonda-red" },
          { leg: "runner", isOk: true },
        ]);
        expect(exitCode).toBe(0);
      });

      test("the bundle enters no cache key, no environment and no image", async () => {
        const cached = await resultOf(READ_BUNDLE, "read");
        expect(cached.output).toMatch(/^#\d+ CACHED$/m);
        expect(cached.content).toBe(IMAGE_BUNDLE);
        const step = `RUN ["/bin/sh", "-c", "cat ${STEP_BUNDLE} >/seen; env >/environment; echo $PPID"]`;
        expect((await resultOf(step, "seen")).content).toContain(root.cert);
        expect((await resultOf(step, "environment")).content).not.toMatch(/SSL_CERT|BUILDKIT_GATEWAY|\.pem|\.crt/);
        const out = await lab().newFolder();
        await build(`${BASE}${step}\n`, `--output=type=local,dest=${out}`);
        expect(await readFile(join(out, STEP_BUNDLE), "utf8")).toBe(IMAGE_BUNDLE);
        // runc would have made them as places to mount on.
        expect((await readdir(join(out, "etc"))).sort()).toEqual(["ssl"]);
      });

      test("a step's own mount in the bundle's place wins", async () => {
        const mount = `--mount=type=bind,source=${STEP_BUNDLE.slice(1)},target=${STEP_BUNDLE}`;
        const { content } = await resultOf(`RUN ${mount} ["/bin/sh", "-c", "cat ${STEP_BUNDLE} >/own"]`, "own");
        expect(content).toBe(IMAGE_BUNDLE);
      });

      test("a step that renews the image's bundle can do so, and its image keeps what it made", async () => {
        const renew = `RUN ["/bin/sh", "-c", "echo new >/n && mv /n ${STEP_BUNDLE} # as update-ca-certificates does"]`;
        expect((await resultOf(renew, STEP_BUNDLE)).content).toBe("new\n");
      });
    });
  },
  { ownReplicas: true },
);

/** A configuration that a trust inject must not disturb. */
const TOML = `# ours
insecure-entitlements = ["network.host"]
[worker.oci]
  max-parallelism = 4 # as many as cores
[registry."docker.io"]
  mirrors = ["mirror.test"]
`;

/** A folder with a bare repository `app.git` that has one commit on `main`. */
async function makeRepository(folder: string): Promise<string> {
  const git = (...args: string[]) =>
    mustRun("git", ["-c", "user.name=test", "-c", "user.email=test@test", ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
    });
  await git("init", "--quiet", "--initial-branch=main", "work");
  await writeFile(join(folder, "work/file"), "one\n");
  await git("-C", "work", "add", "file");
  await git("-C", "work", "commit", "--quiet", "--message=one");
  await git("clone", "--quiet", "--bare", "work", "app.git");
  return folder;
}

/** The content of an image with a shell, a bundle of its own, and buildx with the libraries that it needs. */
async function makeImageContext(folder: string, busybox: string, buildx: string): Promise<string> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "tmp"));
  await mkdir(join(folder, "etc/ssl/certs"), { recursive: true });
  await writeFile(join(folder, "etc/ssl/certs/ca-certificates.crt"), IMAGE_BUNDLE);
  for (const applet of ["sh", "true", "cat", "env", "mv"]) await copyFile(busybox, join(folder, "bin", applet));
  await copyFile(buildx, join(folder, "bin/buildx"));
  const { stdout } = await runCommand("ldd", [buildx]);
  for (const [library] of stdout.matchAll(/\/[^\s()]+/g)) {
    await mkdir(join(folder, library, ".."), { recursive: true });
    await copyFile(library, join(folder, library));
  }
  return folder;
}
