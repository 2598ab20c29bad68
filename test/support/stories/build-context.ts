import { copyFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoryContext } from "./story.ts";

/**
 * First lines of a Dockerfile whose RUN steps work on every replica: a shell, and nothing to pull.
 *
 * The stage is named `base`. Replicas have no network, so every RUN needs `--network=none`.
 */
export const BASE_IMAGE = `FROM scratch AS base
COPY busybox /bin/busybox
RUN --network=none ["/bin/busybox", "--install", "-s", "/bin"]
`;

/** Time of every file in a context, in seconds: the same bytes give the same image on every run. */
const EPOCH_S = 1_600_000_000;

/** Environment with which buildx makes the same image from the same context at any time. */
export const REPRODUCIBLE_ENV = { SOURCE_DATE_EPOCH: String(EPOCH_S) };

/** Make a build context: busybox, a Dockerfile that continues {@link BASE_IMAGE}, and other files by name. */
export async function makeBuildContext(
  context: Pick<StoryContext, "newFolder" | "busybox">,
  dockerfile: string,
  files: Readonly<Record<string, string | Buffer>> = {},
): Promise<string> {
  const folder = await context.newFolder();
  await copyFile(context.busybox, join(folder, "busybox"));
  const all = { Dockerfile: `${BASE_IMAGE}${dockerfile}`, ...files };
  for (const [name, content] of Object.entries(all)) await writeFile(join(folder, name), content);
  for (const name of ["busybox", ...Object.keys(all)]) await utimes(join(folder, name), EPOCH_S, EPOCH_S);
  return folder;
}
