import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext, REPRODUCIBLE_ENV } from "./build-context.ts";
import { makeGitCheckout } from "./git-checkout.ts";
import { ImageArchive } from "./image-archive.ts";
import type { Story } from "./story.ts";

interface Statement {
  readonly predicateType: string;
  readonly predicate: Provenance;
}

interface Provenance {
  readonly buildType?: string;
  readonly buildConfig?: { readonly llbDefinition?: readonly unknown[] };
  readonly buildDefinition?: {
    readonly buildType: string;
    readonly internalParameters?: Provenance["buildConfig"] & object;
  };
  readonly [other: string]: unknown;
}

/** Full provenance, in the image and in the metadata file, of a context that is a git checkout. */
export const PROVENANCE_STORY: Story = {
  name: "a build carries full provenance",
  versions: BUILDX_VERSIONS,
  async run({ buildx, newFolder, busybox }) {
    const folder = await makeBuildContext({ newFolder, busybox }, "RUN --network=none echo made >/made\n");
    await makeGitCheckout(folder, "https://git.invalid/acme/app.git", buildx.env);
    const scratch = await newFolder();
    const [dest, metadataFile] = [join(scratch, "image.tar"), join(scratch, "metadata.json")];
    await buildx.mustRun(
      [
        "build",
        "--no-cache",
        "--provenance=mode=max",
        `--metadata-file=${metadataFile}`,
        `--output=type=oci,dest=${dest}`,
        folder,
      ],
      { cwd: folder },
    );
    const archive = await ImageArchive.unpack(dest, await newFolder());
    const attestation = (await archive.manifests()).find(({ attests }) => attests === "attestation-manifest");
    const statement = attestation && (await archive.blob<Statement>(attestation.layers[0]!.digest));
    const metadata = JSON.parse(await readFile(metadataFile, "utf8"));
    const vcs = JSON.stringify(statement?.predicate).match(/"vcs":(\{[^}]*\})/)?.[1];
    return {
      metadataKeys: Object.keys(metadata).sort(),
      hasBuildRef: /^lab\/lab0\/\w+$/.test(metadata["buildx.build.ref"]),
      predicateType: statement?.predicateType,
      predicateKeys: Object.keys(statement?.predicate ?? {}).sort(),
      buildType: statement?.predicate.buildType ?? statement?.predicate.buildDefinition?.buildType,
      steps: llbSteps(statement?.predicate),
      vcs: vcs === undefined ? null : JSON.parse(vcs),
    };
  },
  expected: {
    metadataKeys: expect.arrayContaining(["buildx.build.ref", "containerimage.digest"]),
    hasBuildRef: true,
    predicateType: expect.stringMatching(/^https:\/\/slsa\.dev\/provenance\//),
    predicateKeys: expect.any(Array),
    buildType: expect.stringContaining("buildkit"),
    steps: expect.toSatisfy((count: number) => count > 0),
    vcs: expect.objectContaining({ source: "https://git.invalid/acme/app.git", "localdir:context": "." }),
  },
};

/** The metadata file as a whole: what it says of the provenance comes from the build's record, after the build. */
export const METADATA_STORY: Story = {
  name: "the metadata file of a build tells its provenance",
  versions: ["0.29"],
  async run({ buildx, newFolder, busybox }) {
    const folder = await makeBuildContext({ newFolder, busybox }, "RUN --network=none echo made >/made\n");
    await makeGitCheckout(folder, "https://git.invalid/acme/app.git", buildx.env);
    const scratch = await newFolder();
    const [dest, metadataFile] = [join(scratch, "image.tar"), join(scratch, "metadata.json")];
    await buildx.mustRun(
      [
        "build",
        "--no-cache",
        "--provenance=mode=max",
        `--metadata-file=${metadataFile}`,
        `--output=type=oci,dest=${dest}`,
        folder,
      ],
      { cwd: folder, env: { ...REPRODUCIBLE_ENV, BUILDX_METADATA_PROVENANCE: "max" } },
    );
    return JSON.parse(withoutIds(await readFile(metadataFile, "utf8")), withoutMeasurements);
  },
  expected: expect.objectContaining({
    "buildx.build.ref": "lab/lab0/ID",
    "buildx.build.provenance": expect.objectContaining({ buildType: expect.any(String) }),
    "containerimage.digest": "DIGEST",
  }),
};

/** Ids, times, and digests of what holds them. */
function withoutIds(metadata: string): string {
  return metadata
    .replace(/sha256:[0-9a-f]{64}/g, "DIGEST")
    .replace(/"\d{4}-\d\d-\d\dT[^"]*"/g, '"TIME"')
    .replace(/(?<![\w-])[a-z0-9]{25}(?![\w-])/g, "ID")
    .replace(/(?<![\w-])[0-9a-f]{40}(?![\w-])/g, "REVISION");
}

/** For `JSON.parse`: what was measured while it was built, what is keyed by digests, and sizes of what is packed. */
function withoutMeasurements(key: string, value: unknown): unknown {
  if (key === "sysUsage" || key === "resourceUsage" || key === "digestMapping") return undefined;
  return key === "size" ? 0 : value;
}

function llbSteps(provenance: Provenance | undefined): number {
  const config = provenance?.buildConfig ?? provenance?.buildDefinition?.internalParameters;
  const buildConfig = (config as { buildConfig?: Provenance["buildConfig"] } | undefined)?.buildConfig ?? config;
  return buildConfig?.llbDefinition?.length ?? 0;
}
