import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

const BUILDS = 12;

/** Twelve buildx processes at once, each with a context of its own, each gets its own result. */
export const PARALLEL_STORY: Story = {
  name: "twelve builds run in parallel",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox }) {
    const build = async (index: number) => {
      const folder = await makeBuildContext(
        { newFolder, busybox },
        `COPY which /which
RUN --network=none echo "$(cat /which) ran" >/result
FROM scratch
COPY --from=base /result /result
`,
        { which: `build ${index} ${nonce}` },
      );
      const dest = await newFolder();
      const tag = `--tag=registry.invalid/acme/parallel-${index}:1`;
      await buildx.mustRun(["build", tag, `--output=${dest}`, folder]);
      return (await readFile(join(dest, "result"), "utf8")).replace(nonce, "<nonce>");
    };
    return await Promise.all(Array.from({ length: BUILDS }, (_, index) => build(index)));
  },
  expected: Array.from({ length: BUILDS }, (_, index) => `build ${index} <nonce> ran\n`),
};
