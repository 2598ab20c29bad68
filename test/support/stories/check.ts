import { expect } from "vitest";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

/** `--check` lints a Dockerfile without building it. */
export const CHECK_STORY: Story = {
  name: "--check reports what is wrong with a Dockerfile",
  versions: ["0.29"],
  async run({ buildx, newFolder, busybox }) {
    const context = { newFolder, busybox };
    const clean = await makeBuildContext(context, "RUN --network=none true\n");
    const flawed = await makeBuildContext(
      context,
      'from scratch AS Second\nMAINTAINER someone\nCMD echo "shell form"\n',
    );
    const outcomes = [];
    for (const folder of [clean, flawed]) {
      const result = await buildx.run(["build", "--check", folder]);
      outcomes.push({ exitCode: result.exitCode, report: result.stdout.replaceAll(folder, "<context>") });
    }
    return outcomes;
  },
  expected: [
    { exitCode: 0, report: "Check complete, no warnings found.\n" },
    {
      exitCode: 1,
      report: expect.stringMatching(/StageNameCasing.*<context>\/Dockerfile:4\n.*MaintainerDeprecated/s),
    },
  ],
};

/** `--call=outline` asks the frontend for a build's parameters. */
export const OUTLINE_STORY: Story = {
  name: "--call=outline lists a build's parameters",
  versions: ["0.29"],
  async run({ buildx, newFolder, busybox }) {
    const folder = await makeBuildContext(
      { newFolder, busybox },
      "ARG COLOUR=red\nRUN --mount=type=secret,id=t true\n",
    );
    const result = await buildx.run(["build", "--call=outline", folder]);
    return { exitCode: result.exitCode, outline: result.stdout };
  },
  expected: { exitCode: 0, outline: expect.stringMatching(/^COLOUR +red/m) },
};
