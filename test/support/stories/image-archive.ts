import { readFile } from "node:fs/promises";
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
  readonly layers: readonly Descriptor[];
  /** Kind of the attestation, when it is one. */
  readonly attests: string | undefined;
}

interface ManifestOrIndex {
  readonly mediaType: string;
  readonly manifests?: readonly Descriptor[];
  readonly layers?: readonly Descriptor[];
}

/** An image tarball of buildx's `oci` or `docker` output, unpacked. */
export class ImageArchive {
  readonly #folder: string;

  private constructor(folder: string) {
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
      if (content.layers) {
        found.push({
          digest: next.digest,
          mediaType: next.mediaType,
          platform: next.platform ? `${next.platform.os}/${next.platform.architecture}` : "none",
          layers: content.layers,
          attests: next.annotations?.["vnd.docker.reference.type"],
        });
      }
    }
    return found;
  }

  /** A blob's content, which must be JSON. */
  blob<T>(digest: string): Promise<T> {
    return this.#json<T>(join("blobs", ...digest.split(":")));
  }

  async #json<T>(path: string): Promise<T> {
    return JSON.parse(await readFile(join(this.#folder, path), "utf8")) as T;
  }
}
