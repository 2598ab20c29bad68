import { expect } from "vitest";
import { pollUntil } from "../lab/poll.ts";
import { BUILDX_VERSIONS } from "../lab/tools.ts";
import { makeBuildContext } from "./build-context.ts";
import type { Story, Target } from "./story.ts";

/** Ctrl-C in the middle of a RUN: buildx ends at once, and so does the work. */
export const CANCEL_STORY: Story = {
  name: "Ctrl-C in a RUN step ends the build and the step",
  versions: BUILDX_VERSIONS,
  async run({ buildx, target, nonce, newFolder, busybox }) {
    const folder = await makeBuildContext(
      { newFolder, busybox },
      `RUN --network=none for i in $(seq 600); do echo "tick-$i"; sleep 0.1; done # ${nonce}\n`,
    );
    let wasRunning = false;
    let isAsking = false;
    const result = await buildx.run(["build", "--output=type=cacheonly", folder], {
      signalWhen(output) {
        if (!/ tick-3\b/.test(output)) return false;
        // Ticks keep coming, so the signal can wait for the answer to one question.
        if (!isAsking) {
          isAsking = true;
          void isWorking(target, nonce).then((isIt) => {
            wasRunning = isIt;
          });
        }
        return wasRunning;
      },
    });
    await pollUntil("the replicas to stop working", async () => !(await isWorking(target, nonce)), {
      timeoutMs: 5_000,
    });
    return {
      exitCode: result.exitCode,
      saysCanceled: /context canceled/.test(result.stderr),
      endsWithin2s: (result.signalToExitMs ?? Number.POSITIVE_INFINITY) < 2_000,
      wasRunning,
    };
  },
  // 0.29 ends as a shell would say of SIGINT, 0.13 as of any failure.
  expected: { exitCode: expect.toBeOneOf([130, 1]), saysCanceled: true, endsWithin2s: true, wasRunning: true },
};

/** Whether a replica has a running build or, where it is the lab's, a process with the nonce on its command line. */
async function isWorking(target: Target, nonce: string): Promise<boolean> {
  const answers = await Promise.all(
    target.replicas.map(async (replica) => {
      if ((await replica.control.activeRefs()).length > 0) return true;
      return replica.isOwned && (await replica.processes()).some(({ commandLine }) => commandLine.includes(nonce));
    }),
  );
  return answers.includes(true);
}
