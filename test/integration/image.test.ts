import { randomUUID } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { mustRun, runCommand } from "../support/lab/command.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { makeLocalBaseImages } from "../support/lab/local-base-images.ts";
import { processesBelow } from "../support/lab/process-tree.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { CONNECTION_STORIES } from "../support/stories/all.ts";
import { ImageArchive } from "../support/stories/image-archive.ts";
import { runStories } from "../support/stories/story.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The configuration of an image, as far as it is looked at here (moby/docker-image-spec, spec.md). */
interface ImageConfig {
  readonly architecture: string;
  readonly config: Readonly<Record<string, unknown>> & {
    readonly User: string;
    readonly Entrypoint: readonly string[];
  };
}

/** A command that runs the image's program as the image's user among the image's files. */
const inImage = (rootfs: string, { User, Entrypoint }: ImageConfig["config"]): string[] => [
  ...["chroot", `--userspec=${User}`, rootfs],
  ...Entrypoint,
];

// Who changes its user is no longer told of its parent's end: the shell is, and takes all of its namespace with it.
const endsWithTests = (command: readonly string[]): string[] => [
  ...["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh"],
  ...command,
];

await describeWithLab(
  "the image",
  (lab) => {
    const marker = `; ${randomUUID()}`;
    const gateways = new Gateways();
    let replica: LabReplica;
    let archive: ImageArchive;
    let rootfs: string;
    let config: ImageConfig;

    beforeAll(async () => {
      [replica] = (await lab().startReplicas(1)) as [LabReplica];
      const { address } = await gateways.start({ replicas: [replica] });
      const folder = await lab().newFolder();
      await build(address, folder);
      archive = new ImageArchive(folder);
      const own = process.arch === "x64" ? "amd64" : process.arch;
      const images = (await archive.manifests()).filter(({ attests }) => attests === undefined);
      expect(images.map(({ platform }) => platform)).toEqual(["linux/amd64", "linux/arm64"]);
      const image = images.find(({ platform }) => platform === `linux/${own}`)!;
      config = await archive.blob<ImageConfig>(image.config.digest);
      rootfs = await lab().newFolder();
      await archive.unpackLayers(image, rootfs);
      const mib = image.layers.map(({ size }) => (size / 2 ** 20).toFixed(1));
      process.stderr.write(`image: layers of ${mib.join(" + ")} MiB, not compressed\n`);
    });
    afterAll(() => gateways.kill());

    /** Build the Dockerfile for both architectures, with images that this machine's programs are made into. */
    async function build(address: string, dest: string): Promise<void> {
      const npmConfig = async (name: string) => (await mustRun("npm", ["config", "get", name])).trim();
      const cafile = await npmConfig("cafile");
      const files = cafile === "null" ? [] : [cafile];
      const folder = await lab().newFolder();
      const bases = await makeLocalBaseImages({ folder, busybox: lab().tools.busybox, files });
      const own = await readFile(await npmConfig("userconfig"), "utf8").catch(() => "");
      const npmrc = [own, `registry=${await npmConfig("registry")}`, ...files.map((file) => `cafile=${file}`), marker];
      await writeFile(join(folder, "npmrc"), npmrc.join("\n"));
      const builder = await lab().createBuilder({ version: "0.29", address });
      const dockerfile = await readFile(join(ROOT, "Dockerfile"), "utf8");
      const { NODE_VERSION, DEBIAN } = Object.fromEntries(
        [...dockerfile.matchAll(/^ARG (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
      );
      // The daemons of the lab have no bridge.
      const network = lab().tools.replicas.t === "dockerd" ? ["--network=host", "--allow=network.host"] : [];
      await builder.mustRun([
        ...[
          "build",
          ...network,
          "--platform=linux/amd64,linux/arm64",
          `--secret=id=npmrc,src=${join(folder, "npmrc")}`,
        ],
        `--build-context=docker.io/library/node:${NODE_VERSION}-${DEBIAN}=${bases.node}`,
        `--build-context=docker.io/library/debian:${DEBIAN}=${bases.debian}`,
        ...["--build-arg=VERSION=1.2.3", "--build-arg=REVISION=abc", "--build-arg=CREATED=2026-11-25T00:00:00Z"],
        `--output=type=oci,tar=false,compression=uncompressed,dest=${dest}`,
        ROOT,
      ]);
    }

    test("says who it runs as, what it runs, and what it is", () => {
      expect(config.config).toMatchObject({
        User: "65532:65532",
        Entrypoint: ["node", "/app/main.js"],
        Cmd: ["serve"],
        ExposedPorts: { "1234/tcp": {}, "6060/tcp": {} },
        StopSignal: "SIGTERM",
        Healthcheck: { Test: ["CMD", "node", "/app/main.js", "health", "--live"] },
        Labels: {
          "org.opencontainers.image.title": "buildkit-gateway",
          "org.opencontainers.image.version": "1.2.3",
          "org.opencontainers.image.revision": "abc",
          "org.opencontainers.image.created": "2026-11-25T00:00:00Z",
        },
      });
    });

    test("holds the program without npm, without packages, and without what was secret", async () => {
      const files = await readdir(rootfs, { recursive: true });
      expect(files.filter((file) => /(^|\/)(node_modules|npm|\.npmrc|.*\.ts)$/.test(file))).toEqual([]);
      expect(await archive.isAnywhere(marker)).toBe(false);
      expect(await archive.isAnywhere("org.opencontainers.image.title")).toBe(true);
    });

    test("answers --version", async () => {
      const [file, ...args] = inImage(rootfs, config.config);
      const env = { PATH: process.env.PATH };
      expect(await mustRun(file!, [...args, "--version"], { env })).toBe(`buildkit-gateway ${manifest.version}\n`);
    });

    test("serves builds, and is well", async () => {
      const [file, ...args] = inImage(rootfs, config.config);
      const gateway = await gateways.start({ program: endsWithTests([file!, ...args]), replicas: [replica] });
      const target = { name: "image", address: gateway.address, replicas: [replica] };
      const stories = CONNECTION_STORIES.slice(0, 2);
      const outcomes = await runStories(stories, lab(), target, "0.29");
      for (const story of stories) expect(outcomes[story.name], story.name).toEqual(story.expected);

      const env = { PATH: process.env.PATH, BUILDKIT_GATEWAY_ADMIN_LISTEN: gateway.adminAddress };
      const health = await runCommand(file!, [...args, "health"], { env });
      expect(health).toMatchObject({ exitCode: 0, stdout: "ready\n", stderr: "" });

      const processes = await processesBelow(gateway.pid);
      const node = processes.find(({ commandLine }) => commandLine.startsWith(config.config.Entrypoint.join(" ")))!;
      process.kill(node.pid, "SIGTERM");
      expect(await gateway.exited).toBe(0);
      expect((await runCommand(file!, [...args, "health", "--live"], { env })).exitCode).toBe(1);
    });
  },
  { ownReplicas: true },
);
