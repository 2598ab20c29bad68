import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Buildx } from "../lab/buildx.ts";
import type { CommandResult } from "../lab/command.ts";
import type { Lab } from "../lab/lab.ts";
import type { LabReplica } from "../lab/replica.ts";
import { makeBuildContext } from "../stories/build-context.ts";
import { makeGitCheckout } from "../stories/git-checkout.ts";

/** A build, and where it ran. */
export interface LocatedBuild {
  readonly result: CommandResult;
  readonly buildRef: string;
  /** Who has it in its history. */
  readonly replica: LabReplica;
}

/** Make a fresh checkout of `acme/app`, with one quick step that no cache has. Returns its folder. */
export async function checkOut(lab: Lab, buildx: Buildx, repository: string): Promise<string> {
  const folder = await makeBuildContext(
    { newFolder: () => lab.newFolder(), busybox: lab.tools.busybox },
    `RUN --network=none echo ${randomBytes(6).toString("hex")}\n`,
  );
  await makeGitCheckout(folder, `https://git.invalid/${repository}.git`, buildx.env);
  return folder;
}

/** Build a folder, and ask the replicas whose build it was. A build that fails throws. */
export async function buildAndLocate(
  lab: Lab,
  buildx: Buildx,
  folder: string,
  replicas: readonly LabReplica[],
): Promise<LocatedBuild> {
  const metadataFile = join(await lab.newFolder(), "metadata.json");
  const args = ["build", "--output=type=cacheonly", `--metadata-file=${metadataFile}`, folder];
  const result = await buildx.mustRun(args, { cwd: folder });
  const metadata: { "buildx.build.ref": string } = JSON.parse(await readFile(metadataFile, "utf8"));
  const buildRef = metadata["buildx.build.ref"].split("/").at(-1)!;
  for (const replica of replicas) {
    if ((await replica.control.buildRefs()).includes(buildRef)) return { result, buildRef, replica };
  }
  throw new Error(`no replica has build ${buildRef} in its history`);
}
