import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import { makeGitCheckout } from "./git-checkout.ts";
import type { Story, StoryContext } from "./story.ts";

const SECRETS = "a secret from a file\na secret from the environment\nkey\ntoken\n";

/** A cache mount keeps its content for the next build of the same context, and secrets arrive unchanged. */
export const MOUNT_STORIES: readonly Story[] = [
  mounts("a git checkout", ({ buildx, nonce }, folder) =>
    makeGitCheckout(folder, `https://git.invalid/acme/${nonce}.git`, buildx.env),
  ),
  mounts("a folder of which nothing is known", async () => {}),
];

function mounts(what: string, prepare: (context: StoryContext, folder: string) => Promise<void>): Story {
  return {
    name: `RUN steps see their cache and secret mounts: ${what}`,
    versions: BUILDX_VERSIONS,
    async run(context) {
      const { nonce } = context;
      const folder = await makeBuildContext(context, dockerfile(nonce));
      await prepare(context, folder);
      const rounds = [await buildRound(context, folder, `${nonce}-1`), await buildRound(context, folder, `${nonce}-2`)];
      return rounds.map((seen) => seen.replaceAll(nonce, "<nonce>"));
    },
    expected: [`<nonce>-1\n${SECRETS}`, `<nonce>-1\n<nonce>-2\n${SECRETS}`],
  };
}

/** The round names the run, too: a cache mount's id is no part of a step's cache key. */
function dockerfile(nonce: string): string {
  return `ARG ROUND
RUN --network=none --mount=type=cache,id=${nonce},target=/cache --mount=type=secret,id=token --mount=type=secret,id=key \\
  echo "$ROUND" >>/cache/log && cat /cache/log /run/secrets/token /run/secrets/key >/seen && ls /run/secrets >>/seen
FROM scratch
COPY --from=base /seen /seen
`;
}

async function buildRound({ buildx, newFolder }: StoryContext, folder: string, round: string): Promise<string> {
  const dest = await newFolder();
  const tokenFile = join(await newFolder(), "token");
  await writeFile(tokenFile, "a secret from a file\n");
  const secrets = [`--secret=id=token,src=${tokenFile}`, "--secret=id=key,env=STORY_KEY"];
  await buildx.mustRun(["build", ...secrets, `--build-arg=ROUND=${round}`, `--output=${dest}`, "."], {
    cwd: folder,
    env: { STORY_KEY: "a secret from the environment\n" },
  });
  return await readFile(join(dest, "seen"), "utf8");
}
