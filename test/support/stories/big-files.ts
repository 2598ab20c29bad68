import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import { sha256OfFile } from "./file-tree.ts";
import { seededBytes, writeSeededFile } from "./seeded-bytes.ts";
import type { Story } from "./story.ts";

/** What the replica reads of a big context is what the client has. */
export const BIG_CONTEXT_STORY: Story = {
  name: "a big context arrives byte-identical",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox, bigFileBytes }) {
    const folder = await makeBuildContext(
      { newFolder, busybox },
      `RUN --network=none --mount=type=bind,target=/context sha256sum </context/big >/sum && stat -c %s /context/big >>/sum
FROM scratch
COPY --from=base /sum /sum
`,
    );
    const sent = await writeSeededFile(join(folder, "big"), nonce, bigFileBytes);
    const dest = await newFolder();
    await buildx.mustRun(["build", `--output=${dest}`, folder]);
    const [sum = "", sizeBytes] = (await readFile(join(dest, "sum"), "utf8")).split("\n");
    return { isIdentical: sum.startsWith(sent), isWhole: Number(sizeBytes) === bigFileBytes };
  },
  expected: { isIdentical: true, isWhole: true },
};

const SEED_BYTES = 1024 * 1024;

/** What the client receives of a big result is what the replica made. */
export const BIG_EXPORT_STORY: Story = {
  name: "a big local export arrives byte-identical",
  versions: BUILDX_VERSIONS,
  async run({ buildx, nonce, newFolder, busybox, bigFileBytes }) {
    const rounds = Math.ceil(bigFileBytes / SEED_BYTES);
    const seed = Buffer.concat([...seededBytes(nonce, SEED_BYTES)]);
    const folder = await makeBuildContext(
      { newFolder, busybox },
      `COPY seed /seed
RUN --network=none for i in $(seq ${rounds}); do echo "part $i"; cat /seed; done >/big
FROM scratch
COPY --from=base /big /big
`,
      { seed },
    );
    const expected = createHash("sha256");
    let expectedBytes = 0;
    for (let round = 1; round <= rounds; round++) {
      const title = `part ${round}\n`;
      expected.update(title).update(seed);
      expectedBytes += title.length + seed.length;
    }
    const dest = await newFolder();
    await buildx.mustRun(["build", `--output=${dest}`, folder]);
    const received = join(dest, "big");
    return {
      isIdentical: (await sha256OfFile(received)) === expected.digest("hex"),
      isWhole: (await stat(received)).size === expectedBytes,
    };
  },
  expected: { isIdentical: true, isWhole: true },
};
