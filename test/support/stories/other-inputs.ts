import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { mustRun } from "../lab/command.ts";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

/** A context that comes as a tarball on standard input travels another way through the session. */
export const STDIN_STORY: Story = {
  name: "a context is read from standard input",
  versions: BUILDX_VERSIONS,
  async run({ buildx, newFolder, busybox }) {
    const folder = await makeBuildContext(
      { newFolder, busybox },
      "COPY note /note\nFROM scratch\nCOPY --from=base /note /note\n",
      { note: "from standard input\n" },
    );
    const tarball = join(await newFolder(), "context.tar");
    await mustRun("tar", ["-cf", tarball, "-C", folder, "."]);
    const dest = await newFolder();
    await buildx.mustRun(["build", `--output=${dest}`, "-"], { input: await readFile(tarball) });
    return await readFile(join(dest, "note"), "utf8");
  },
  expected: "from standard input\n",
};

/** A named context and a Dockerfile from elsewhere: several folders in one session. */
export const NAMED_CONTEXT_STORY: Story = {
  name: "a build reads a second, named context",
  versions: BUILDX_VERSIONS,
  async run({ buildx, newFolder, busybox }) {
    const context = { newFolder, busybox };
    const second = await makeBuildContext(context, "", { note: "from the second context\n" });
    const folder = await makeBuildContext(context, "FROM scratch\nCOPY --from=second note /note\n");
    const dest = await newFolder();
    await buildx.mustRun(["build", `--build-context=second=${second}`, `--output=${dest}`, folder]);
    return await readFile(join(dest, "note"), "utf8");
  },
  expected: "from the second context\n",
};

/** The layer cache goes to a folder of the client and comes back from it. */
export const LOCAL_CACHE_STORY: Story = {
  name: "the cache is exported to a folder and imported from it",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox }) {
    const folder = await makeBuildContext({ newFolder, busybox }, `RUN --network=none echo ${nonce} >/made\n`);
    const cache = await newFolder();
    const exported = ["--cache-to", `type=local,dest=${cache},mode=max`];
    const imported = ["--cache-from", `type=local,src=${cache}`];
    const rounds: boolean[] = [];
    for (const args of [exported, imported]) {
      const result = await buildx.mustRun(["build", "--output=type=cacheonly", ...args, folder]);
      rounds.push(/importing cache manifest from local/.test(result.stderr));
    }
    return { imports: rounds, blobs: (await readdir(join(cache, "blobs", "sha256"))).length };
  },
  expected: { imports: [false, true], blobs: expect.toSatisfy((count: number) => count >= 4) },
};
