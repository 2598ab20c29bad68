import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Make a folder's plain `buildx bake` build these targets of its Dockerfile, each a build of its own. */
export async function writeBakeFile(folder: string, targets: readonly string[]): Promise<void> {
  const target = targets.map((name) => [name, { context: ".", output: ["type=cacheonly"], args: { TARGET: name } }]);
  await writeFile(
    join(folder, "docker-bake.json"),
    JSON.stringify({ group: { default: { targets } }, target: Object.fromEntries(target) }),
  );
}
