import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./command.ts";

/** What an image is made of. */
export interface ImageSource {
  /** Its files. */
  readonly rootfs: string;
  /** As `amd64`; all get the same files. */
  readonly architectures: readonly string[];
  readonly env: readonly string[];
}

const MEDIA_TYPE = "application/vnd.oci.image";

/**
 * Write an image of one layer as an OCI layout (opencontainers/image-spec, image-layout.md) into an empty folder.
 * Returns what a build names it by: `oci-layout://<folder>@<digest>`.
 */
export async function writeOciLayout(folder: string, { rootfs, architectures, env }: ImageSource): Promise<string> {
  const blobs = join(folder, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  const writeJson = async (mediaType: string, content: object) => {
    const text = JSON.stringify(content);
    const hex = createHash("sha256").update(text).digest("hex");
    await writeFile(join(blobs, hex), text);
    return { mediaType: `${MEDIA_TYPE}.${mediaType}`, digest: `sha256:${hex}`, size: Buffer.byteLength(text) };
  };
  const layer = await writeLayer(blobs, rootfs);
  const manifests = [];
  for (const architecture of architectures) {
    const platform = { architecture, os: "linux" };
    const config = await writeJson("config.v1+json", {
      ...platform,
      config: { Env: env },
      rootfs: { type: "layers", diff_ids: [layer.digest] },
    });
    const manifest = { schemaVersion: 2, mediaType: `${MEDIA_TYPE}.manifest.v1+json`, config, layers: [layer] };
    manifests.push({ ...(await writeJson("manifest.v1+json", manifest)), platform });
  }
  const mediaType = `${MEDIA_TYPE}.index.v1+json`;
  const index = await writeJson("index.v1+json", { schemaVersion: 2, mediaType, manifests });
  await writeFile(join(folder, "index.json"), JSON.stringify({ schemaVersion: 2, mediaType, manifests: [index] }));
  await writeFile(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return `oci-layout://${folder}@${index.digest}`;
}

async function writeLayer(blobs: string, rootfs: string) {
  const tarball = join(blobs, "layer");
  await mustRun("tar", ["-cf", tarball, "--owner=0", "--group=0", "-C", rootfs, "."]);
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(tarball)) hash.update(chunk as Buffer);
  const hex = hash.digest("hex");
  await rename(tarball, join(blobs, hex));
  const { size } = await stat(join(blobs, hex));
  return { mediaType: `${MEDIA_TYPE}.layer.v1.tar`, digest: `sha256:${hex}`, size };
}
