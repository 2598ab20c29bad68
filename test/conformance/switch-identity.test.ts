import { expect, onTestFinished, test } from "vitest";
import { ApiServerStandIn } from "../support/kubernetes/api-server.ts";
import { writeStandInFiles } from "../support/kubernetes/stand-in-access.ts";
import { SwitchRig } from "../support/switch-rig.ts";

test("a gateway that has to ask a cluster who builds is not ready before it has", async () => {
  const standIn = await ApiServerStandIn.start();
  onTestFinished(() => standIn.close());
  const files = await writeStandInFiles(standIn);
  onTestFinished(() => files.remove());
  standIn.failNext("list", "hang");
  const rig = await SwitchRig.start({
    admin: "127.0.0.1:0",
    settings: {
      KUBERNETES_SERVER: standIn.url,
      KUBERNETES_TOKEN_FILE: files.tokenFile,
      KUBERNETES_CA_FILE: files.caFile,
      IDENTITY_PODS_NAMESPACES: "arc",
      IDENTITY_PODS_RUNNERS: "false",
    },
  });
  const { admin } = rig.gateway;
  if (admin?.t !== "tcp") throw new Error("no admin port");
  const readiness = async () => (await fetch(`http://127.0.0.1:${admin.port}/readyz`)).status;
  await expect.poll(() => standIn.requests.length).toBe(1);
  expect(await readiness()).toBe(503);
  // The server has said nothing for too long: nobody will be known, and builds are served all the same.
  rig.clock.advance(15_000);
  await expect.poll(readiness).toBe(200);
});
