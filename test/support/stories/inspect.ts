import { expect } from "vitest";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import type { Story } from "./story.ts";

/** `inspect --bootstrap`: what the builder says of itself. */
export const INSPECT_STORY: Story = {
  name: "inspect --bootstrap shows a running builder",
  versions: BUILDX_VERSIONS,
  async run({ buildx }) {
    const result = await buildx.run(["inspect", "--bootstrap"]);
    // What names this very builder, replica, fleet or moment; the rest must be the same everywhere.
    const lines = result.stdout
      .split("\n")
      .filter(
        (line) =>
          !/^(Name|Endpoint|Last Activity):|worker\.(containerd\.uuid|hostname)|buildkit-gateway\.|^\s*$/.test(line),
      );
    return { exitCode: result.exitCode, lines };
  },
  expected: { exitCode: 0, lines: expect.arrayContaining([expect.stringMatching(/^Status: +running$/)]) },
};
