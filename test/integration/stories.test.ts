import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { ALL_STORIES } from "../support/stories/all.ts";
import { type Target, tellStory } from "../support/stories/story.ts";

/** The stories about size move this much through the gateway in front of many, and a tenth of it elsewhere. */
const BIG_FILE_BYTES = 300 * 2 ** 20;

const GATEWAYS: GatewayProcess[] = [];

await describeWithLab("the same through a gateway as directly", (lab) => {
  let targets: readonly Target[];

  beforeAll(async () => {
    const { replicas: source } = lab().tools;
    const replicas = await lab().startReplicas(source.t === "external" ? source.addresses.length : 5);
    const [first, second = first] = replicas;
    targets = [
      { name: "direct", address: first!.address, replicas: [first!] },
      await behindGateway("gateway with 1 replica", [second!]),
      await behindGateway("gateway with 3 replicas", replicas.slice(-3)),
    ];
  });
  afterAll(async () => {
    for (const gateway of GATEWAYS) await gateway.kill();
  });

  for (const version of BUILDX_VERSIONS) {
    for (const story of ALL_STORIES.filter(({ versions }) => versions.includes(version))) {
      test(`buildx ${version}: ${story.name}`, async () => {
        // Side by side, since each has replicas of its own and most of a story is waiting.
        const outcomes = await Promise.all(
          targets.map((target) => {
            const bigFileBytes = target.replicas.length > 1 ? BIG_FILE_BYTES : BIG_FILE_BYTES / 10;
            return tellStory(story, lab(), target, version, { bigFileBytes });
          }),
        );
        const [direct, ...throughGateway] = outcomes;
        expect(direct).toEqual(story.expected);
        throughGateway.forEach((outcome, index) => {
          expect(outcome, targets[index + 1]!.name).toEqual(direct);
        });
      });
    }
  }
});

async function behindGateway(name: string, replicas: readonly LabReplica[]): Promise<Target> {
  const gateway = await GatewayProcess.start({ replicas });
  GATEWAYS.push(gateway);
  return { name, address: gateway.address, replicas };
}
