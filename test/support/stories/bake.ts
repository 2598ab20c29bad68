import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

const TARGETS = ["t1", "t2", "t3", "t4", "t5", "t6"];

/** Six targets from one context, all built at once. */
export const BAKE_SHARED_STORY: Story = {
  name: "bake builds six targets that share a context",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox, timeoutMs }) {
    const dockerfile = `ARG NAME
COPY shared /shared
RUN --network=none echo "$NAME has $(cat /shared)" >/result
FROM scratch
COPY --from=base /result /result
`;
    const folder = await makeBuildContext({ newFolder, busybox }, dockerfile, { shared: `shared ${nonce}\n` });
    const dest = await newFolder();
    const targets = TARGETS.map((name) => [
      name,
      { context: folder, args: { NAME: name }, ...localOutput(dest, name) },
    ]);
    await bake(buildx, folder, Object.fromEntries(targets), timeoutMs);
    return (await readResults(dest, TARGETS)).map((text) => text.replace(nonce, "<nonce>"));
  },
  expected: TARGETS.map((name) => `${name} has shared <nonce>\n`),
};

/** Which targets each target is built upon: a diamond and a chain. */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  t1: [],
  t2: ["t1"],
  t3: ["t1"],
  t4: ["t2", "t3"],
  t5: ["t4"],
  t6: ["t5", "t1"],
};

/** Six targets, each but the first built upon others by `target:` contexts. */
export const BAKE_LINKED_STORY: Story = {
  name: "bake builds six targets that are linked by target: contexts",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox, timeoutMs }) {
    const folder = await makeBuildContext({ newFolder, busybox }, "", { shared: `shared ${nonce}\n` });
    const dest = await newFolder();
    const targets = Object.entries(LINKS).map(([name, parents]) => [
      name,
      {
        context: folder,
        "dockerfile-inline": linkedDockerfile(name, parents),
        contexts: Object.fromEntries(parents.map((parent) => [parent, `target:${parent}`])),
        ...localOutput(dest, name),
      },
    ]);
    await bake(buildx, folder, Object.fromEntries(targets), timeoutMs);
    return (await readResults(dest, TARGETS)).map((text) => text.replaceAll(nonce, "<nonce>"));
  },
  expected: Object.entries(LINKS).map(([name, parents]) =>
    expect.stringContaining(`${name}(${parents.join("+")}) of `),
  ),
};

function linkedDockerfile(name: string, parents: readonly string[]): string {
  const copies = parents.map((parent) => `COPY --from=${parent} /result /from/${parent}`);
  return `FROM scratch AS work
COPY busybox /bin/sh
COPY shared /from/context
${copies.join("\n")}
RUN --network=none for file in /from/*; do read -r text <$file; echo "$file: $text"; done >/seen
RUN --network=none echo "${name}(${parents.join("+")}) of" $(while read -r line; do echo "[$line]"; done </seen) >/result
FROM scratch
COPY --from=work /result /
`;
}

function localOutput(dest: string, name: string) {
  return { output: [`type=local,dest=${join(dest, name)}`] };
}

async function bake(
  buildx: Parameters<Story["run"]>[0]["buildx"],
  folder: string,
  target: object,
  timeoutMs: number,
): Promise<void> {
  const file = join(folder, "docker-bake.json");
  await writeFile(file, JSON.stringify({ group: { default: { targets: TARGETS } }, target }));
  await buildx.mustRun(["bake", `--file=${file}`], {
    cwd: folder,
    timeoutMs,
    env: { BUILDX_BAKE_ENTITLEMENTS_FS: "0" },
  });
}

function readResults(dest: string, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map((name) => readFile(join(dest, name, "result"), "utf8")));
}
