import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

/** A cache mount keeps its content for the next build of the same image, and a secret arrives unchanged. */
export const MOUNTS_STORY: Story = {
  name: "RUN steps see their cache and secret mounts",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox }) {
    const folder = await makeBuildContext(
      { newFolder, busybox },
      `ARG ROUND
RUN --network=none --mount=type=cache,id=${nonce},target=/cache --mount=type=secret,id=token --mount=type=secret,id=key \\
  echo "round $ROUND" >>/cache/log && cat /cache/log /run/secrets/token /run/secrets/key >/seen \\
  && ls /run/secrets >>/seen
FROM scratch
COPY --from=base /seen /seen
`,
    );
    const tokenFile = join(await newFolder(), "token");
    await writeFile(tokenFile, "a secret from a file\n");
    const seen: string[] = [];
    for (const round of [1, 2]) {
      const dest = await newFolder();
      const secrets = [`--secret=id=token,src=${tokenFile}`, "--secret=id=key,env=STORY_KEY"];
      const args = [`--build-arg=ROUND=${round}`, "--tag=registry.invalid/acme/mounts:1", `--output=${dest}`];
      await buildx.mustRun(["build", ...secrets, ...args, folder], {
        env: { STORY_KEY: "a secret from the environment\n" },
      });
      seen.push(await readFile(join(dest, "seen"), "utf8"));
    }
    return seen;
  },
  expected: [
    "round 1\na secret from a file\na secret from the environment\nkey\ntoken\n",
    "round 1\nround 2\na secret from a file\na secret from the environment\nkey\ntoken\n",
  ],
};
