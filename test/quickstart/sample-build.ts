import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Buildx } from "../support/lab/buildx.ts";
import type { LabReplica } from "../support/lab/replica.ts";

/** What one build of the sample showed. */
export interface SampleBuild {
  readonly durationMs: number;
  /** Name of the replica that ran it, as the replicas themselves say. */
  readonly builtBy: string;
  readonly cachedSteps: number;
}

/** Build the sample in `folder` and find out where it ran. */
export async function buildSample(
  buildx: Buildx,
  folder: string,
  replicas: readonly LabReplica[],
): Promise<SampleBuild> {
  const metadataFile = join(folder, ".metadata.json");
  const output = "--output=type=image,name=registry.invalid/sample/app:1,store=true";
  const build = await buildx.mustRun(["build", output, `--metadata-file=${metadataFile}`, folder]);
  const metadata: { "buildx.build.ref": string } = JSON.parse(await readFile(metadataFile, "utf8"));
  const ref = metadata["buildx.build.ref"].split("/").at(-1)!;
  const refs = await Promise.all(replicas.map((replica) => replica.control.buildRefs()));
  const builder = replicas.find((_, index) => refs[index]?.includes(ref));
  return {
    durationMs: build.durationMs,
    builtBy: builder?.name ?? "unknown",
    cachedSteps: build.stderr.match(/^#\d+ CACHED$/gm)?.length ?? 0,
  };
}
