import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "../lab/command.ts";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

/** A manifest in an image archive, with what it points to. */
export interface ArchivedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** Kind of the attestation, when it is one. */
  readonly attests: string | undefined;
}

interface ManifestOrIndex {
  readonly mediaType: string;
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/** An image of buildx's `oci` or `docker` output, as a folder. */
export class ImageArchive {
  readonly #folder: string;

  /** What `tar=false` wrote, or an unpacked tarball. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Unpack a tarball into an empty folder. */
  static async unpack(tarball: string, emptyFolder: string): Promise<ImageArchive> {
    await mustRun("tar", ["-xf", tarball, "-C", emptyFolder]);
    return new ImageArchive(emptyFolder);
  }

  /** All manifests, indexes resolved, in the archive's order. */
  async manifests(): Promise<ArchivedManifest[]> {
    const index = await this.#json<ManifestOrIndex>("index.json");
    const found: ArchivedManifest[] = [];
    const open = [...(index.manifests ?? [])];
    for (let next = open.shift(); next; next = open.shift()) {
      const content = await this.blob<ManifestOrIndex>(next.digest);
      open.push(...(content.manifests ?? []));
      if (content.layers && content.config) {
        found.push({
          digest: next.digest,
          mediaType: next.mediaType,
          platform: next.platform ? `${next.platform.os}/${next.platform.architecture}` : "none",
          config: content.config,
          layers: content.layers,
          attests: next.annotations?.["vnd.docker.reference.type"],
        });
      }
    }
    return found;
  }

  /** A blob's content, which must be JSON. */
  blob<T>(digest: string): Promise<T> {
    return this.#json<T>(this.#blobPath(digest));
  }

  /** The layers of a manifest, laid over each other in an empty folder: what a container would see (without deletions). */
  async unpackLayers({ layers }: ArchivedManifest, emptyFolder: string): Promise<void> {
    for (const { digest } of layers) {
      await mustRun("tar", ["-xpf", join(this.#folder, this.#blobPath(digest)), "-C", emptyFolder]);
    }
  }

  /** Whether any file of it contains a text. Finds it in layers that are not compressed. */
  async isAnywhere(text: string): Promise<boolean> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (entry.isFile() && (await readFile(join(entry.parentPath, entry.name))).includes(text)) return true;
    }
    return false;
  }

  #blobPath(digest: string): string {
    return join("blobs", ...digest.split(":"));
  }

  async #json<T>(path: string): Promise<T> {
    return JSON.parse(await readFile(join(this.#folder, path), "utf8")) as T;
  }
}
