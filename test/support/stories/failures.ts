import { expect } from "vitest";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story } from "./story.ts";

/** Builds that fail at different stages: what the user reads and the exit status. */
export const FAILURE_STORIES: readonly Story[] = [
  failure({
    what: "a RUN step that fails",
    // One stream only: BuildKit itself reads the two side by side, in no order.
    dockerfile: 'RUN --network=none echo "about to fail" >&2 && exit 7\n',
    says: /<time> about to fail\n.*did not complete successfully: exit code: 7\n$/s,
  }),
  failure({
    what: "a step with a long output that fails",
    dockerfile: `RUN --network=none for i in $(seq 300); do echo "line $i"; done; exit 3\n`,
    says: /<time> line 299\n<time> line 300\n.*exit code: 3\n$/s,
  }),
  failure({
    what: "a file that is not in the context",
    dockerfile: "COPY does-not-exist /x\n",
    says: /"\/does-not-exist": not found\n$/,
  }),
  failure({
    what: "a Dockerfile that cannot be parsed",
    dockerfile: "NOT-AN-INSTRUCTION here\n",
    says: /dockerfile parse error on line 4: unknown instruction: NOT-AN-INSTRUCTION\n$/,
  }),
  failure({
    what: "an unknown target stage",
    dockerfile: "",
    args: ["--target=nowhere"],
    says: /failed to solve: target stage "nowhere" could not be found\n$/,
  }),
  // Refused before the build's Status is known to the replica: buildx waits 3 s for that, directly too.
  failure({
    what: "an entitlement that the replica refuses",
    dockerfile: "RUN --security=insecure true\n",
    args: ["--allow=security.insecure"],
    says: /granting entitlement security.insecure is not allowed by build daemon configuration\n$/,
  }),
];

interface Failure {
  readonly what: string;
  readonly dockerfile: string;
  readonly args?: readonly string[];
  readonly says: RegExp;
}

function failure({ what, dockerfile, args = [], says }: Failure): Story {
  return {
    name: `the error is readable: ${what}`,
    versions: BUILDX_VERSIONS,
    async run({ buildx, newFolder, busybox }) {
      const folder = await makeBuildContext({ newFolder, busybox }, dockerfile);
      const result = await buildx.run(["build", "--no-cache", "--output=type=cacheonly", ...args, folder]);
      return { exitCode: result.exitCode, error: errorPart(result.stderr) };
    },
    expected: { exitCode: 1, error: expect.stringMatching(says) },
  };
}

/** What the user reads of the error, with times, step numbers and ids taken out: the failed steps, then the summary. */
function errorPart(stderr: string): string {
  const summary = stderr.search(/^(ERROR: |-{6,}$)/m);
  const failedSteps = stderr.slice(0, Math.max(summary, 0)).match(/^#\d+ ERROR: .*$/gm) ?? [];
  return [...failedSteps, stderr.slice(Math.max(summary, 0))]
    .join("\n")
    .replace(/^(#\d+ |> )?\d+\.\d+ /gm, "$1<time> ")
    .replace(/^#\d+ ERROR/gm, "#<step> ERROR")
    .replace(/\b[a-z0-9]{25}::[a-z0-9]{25}\b/g, "<ref>")
    .replace(/^View build details: .*$/m, "View build details: <link>");
}
