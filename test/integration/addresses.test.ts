import { join } from "node:path";
import { afterEach, beforeAll, expect, test } from "vitest";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { Door } from "../support/lab/door.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { CONNECTION_STORIES } from "../support/stories/all.ts";
import { runStories, type Story } from "../support/stories/story.ts";

await describeWithLab("builds go through a gateway", (lab) => {
  let replica: LabReplica;
  let gateway: GatewayProcess | undefined;
  let door: Door | undefined;

  beforeAll(async () => {
    [replica] = (await lab().startReplicas(1)) as [LabReplica];
  });
  afterEach(async () => {
    await gateway?.kill();
    door?.close();
  });

  async function expectStories(stories: readonly Story[], { address }: GatewayProcess): Promise<void> {
    for (const version of BUILDX_VERSIONS) {
      const outcomes = await runStories(stories, lab(), { name: address, address, replicas: [replica] }, version);
      for (const story of stories) expect(outcomes[story.name], story.name).toEqual(story.expected);
    }
  }

  test("from unix socket to unix socket", async () => {
    const folder = await lab().newFolder();
    door = await Door.open({ path: join(folder, "replica.sock"), to: replica.address });
    gateway = await GatewayProcess.start({
      listen: `unix://${join(folder, "gateway.sock")}`,
      replicas: [{ name: replica.name, address: door.address }],
    });
    await expectStories(CONNECTION_STORIES, gateway);
  });

  test("to a replica that is found by DNS", async () => {
    const port = replica.address.split(":").at(-1);
    gateway = await GatewayProcess.start({ flags: [`--replicas-dns=localhost:${port}`], until: "serving" });
    await gateway.lines.next("replica state changed", { replica: `127.0.0.1:${port}`, to: "ready" });
    await expectStories(CONNECTION_STORIES.slice(0, 2), gateway);
  });
});
