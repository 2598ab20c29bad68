import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext, REPRODUCIBLE_ENV } from "./build-context.ts";
import { readFileTree, readTarTree } from "./file-tree.ts";
import { ImageArchive } from "./image-archive.ts";
import type { Outcome, Story, StoryContext } from "./story.ts";

const DOCKERFILE = `COPY greeting /greeting
RUN --network=none mkdir -p /out/srv/app /out/empty && cd /out/srv/app && umask 077 \\
  && tr a-z A-Z </greeting >loud && chmod 4755 loud && ln loud hard && ln -s loud soft && : >nothing \\
  && echo name >'blänk und ✓'
FROM scratch
ARG SOURCE_DATE_EPOCH
COPY --from=base /out /
COPY --chmod=640 greeting /etc/greeting
ENV MODE=story
ENTRYPOINT ["/srv/app/loud"]
`;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const OUTPUT_TREE = {
  empty: "40755",
  etc: expect.any(String),
  "etc/greeting": `100640 ${sha256("hello from a story\n")}`,
  srv: "40755",
  "srv/app": "40755",
  "srv/app/blänk und ✓": `100600 ${sha256("name\n")}`,
  "srv/app/hard": `104755 ${sha256("HELLO FROM A STORY\n")}`,
  "srv/app/loud": `104755 ${sha256("HELLO FROM A STORY\n")}`,
  "srv/app/nothing": `100600 ${sha256("")}`,
  "srv/app/soft": "120777 -> loud",
};

const DIGEST = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
const LAYER = expect.stringMatching(/tar.gzip sha256:/);
const ONE_MANIFEST = [
  {
    digest: DIGEST,
    mediaType: expect.any(String),
    platform: expect.stringMatching(/^linux\//),
    layers: [LAYER, LAYER],
  },
];
const IMAGE_METADATA = { digest: DIGEST, name: "registry.invalid/acme/outputs:1" };

/** One story for each of buildx's outputs: the same image, and what arrives at the client. */
export const OUTPUT_STORIES: readonly Story[] = [
  output("local", OUTPUT_TREE, async (build, context) => {
    const dest = await context.newFolder();
    await build(`type=local,dest=${dest}`);
    return await readFileTree(dest);
  }),
  output("tar", OUTPUT_TREE, async (build, context) => {
    const dest = join(await context.newFolder(), "out.tar");
    await build(`type=tar,dest=${dest}`);
    return await readTarTree(dest, await context.newFolder());
  }),
  output("oci", ONE_MANIFEST, (build, context) => buildArchive("oci", build, context)),
  output("docker", ONE_MANIFEST, (build, context) => buildArchive("docker", build, context)),
  output("image", IMAGE_METADATA, async (build, context) => {
    const metadataFile = join(await context.newFolder(), "metadata.json");
    await build("type=image,name=registry.invalid/acme/outputs:1,store=true,rewrite-timestamp=true", [
      `--metadata-file=${metadataFile}`,
    ]);
    const metadata = JSON.parse(await readFile(metadataFile, "utf8"));
    return { digest: metadata["containerimage.digest"], name: metadata["image.name"] };
  }),
];

type Build = (output: string, args?: readonly string[]) => Promise<void>;

function output(
  type: string,
  expected: unknown,
  run: (build: Build, context: StoryContext) => Promise<Outcome>,
): Story {
  return {
    name: `a build arrives as ${type} output`,
    versions: BUILDX_VERSIONS,
    async run(context) {
      const folder = await makeBuildContext(context, DOCKERFILE, { greeting: "hello from a story\n" });
      const build: Build = async (value, args = []) => {
        await context.buildx.mustRun(
          ["build", "--no-cache", "--provenance=false", `--output=${value}`, ...args, folder],
          {
            env: REPRODUCIBLE_ENV,
          },
        );
      };
      return await run(build, context);
    },
    expected,
  };
}

/** The archive's manifests: their digests cover every layer and the configuration. */
async function buildArchive(type: "oci" | "docker", build: Build, context: StoryContext): Promise<Outcome> {
  const dest = join(await context.newFolder(), "image.tar");
  await build(`type=${type},dest=${dest},name=registry.invalid/acme/outputs:1,rewrite-timestamp=true`);
  const archive = await ImageArchive.unpack(dest, await context.newFolder());
  const manifests = await archive.manifests();
  return manifests.map(({ digest, mediaType, platform, layers }) => ({
    digest,
    mediaType,
    platform,
    layers: layers.map((layer) => `${layer.mediaType} ${layer.digest} ${layer.size}`),
  }));
}
