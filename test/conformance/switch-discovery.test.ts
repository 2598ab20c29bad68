import { expect, onTestFinished, test } from "vitest";
import { ApiServerStandIn } from "../support/kubernetes/api-server.ts";
import { writeStandInFiles } from "../support/kubernetes/stand-in-access.ts";
import { SwitchRig } from "../support/switch-rig.ts";

// Seen on a real API server: a rollout whose Role was missing replaced gateways that worked by some that knew no replica.
test("a gateway that has never learnt what replicas there are is not ready, one that has learnt of none is", async () => {
  const standIn = await ApiServerStandIn.start();
  onTestFinished(() => standIn.close());
  const files = await writeStandInFiles(standIn);
  onTestFinished(() => files.remove());
  standIn.forbidden.add("list endpointslices");
  const rig = await SwitchRig.start({
    replicas: 0,
    admin: "127.0.0.1:0",
    settings: {
      REPLICAS_SERVICE: "ns/replicas",
      KUBERNETES_SERVER: standIn.url,
      KUBERNETES_TOKEN_FILE: files.tokenFile,
      KUBERNETES_CA_FILE: files.caFile,
    },
  });
  const { admin } = rig.gateway;
  if (admin?.t !== "tcp") throw new Error("no admin port");
  const readiness = async () => {
    const answer = await fetch(`http://127.0.0.1:${admin.port}/readyz`);
    return `${answer.status} ${(await answer.text()).trim()}`;
  };
  await expect.poll(readiness).toMatch(/^503 no replica is known: Kubernetes discovery of ns\/replicas: 403: /);

  standIn.forbidden.clear();
  await expect
    .poll(async () => {
      rig.clock.advance(60_000);
      return readiness();
    })
    .toBe("200 no replica takes a build now, builds wait: 0 in the queue");
});
