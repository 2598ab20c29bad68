import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { expect, test } from "vitest";
import { TestAuthority } from "../support/lab/certificates.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { CONNECTION_STORIES } from "../support/stories/all.ts";
import { runStories, type Target } from "../support/stories/story.ts";

await describeWithLab(
  "the lab's replicas",
  (lab) => {
    test("serve TLS with client certificates when they are started so", async () => {
      const authority = new TestAuthority();
      const server = authority.issue({ commonName: "replica", names: ["replica.test"] });
      const client = authority.issue({ commonName: "runner" });
      const replicas = await lab().startReplicas(1, { tlsFront: { ...server, clientCa: authority.cert } });
      const folder = await lab().newFolder();
      const files = { cacert: authority.cert, cert: client.cert, key: client.key };
      for (const [name, pem] of Object.entries(files)) await writeFile(join(folder, name), pem);
      const target: Target = {
        name: "mTLS",
        address: replicas[0]!.address,
        driverOpts: {
          servername: "replica.test",
          cacert: join(folder, "cacert"),
          cert: join(folder, "cert"),
          key: join(folder, "key"),
        },
        replicas,
      };
      const stories = CONNECTION_STORIES.slice(0, 2);
      for (const version of BUILDX_VERSIONS) {
        const outcomes = await runStories(stories, lab(), target, version);
        for (const story of stories) expect(outcomes[story.name]).toEqual(story.expected);
      }
      const stranger = tlsConnect({
        host: "127.0.0.1",
        port: portOf(target),
        ca: authority.cert,
        servername: "replica.test",
      });
      expect(await once(stranger, "error")).toEqual([
        expect.objectContaining({ code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" }),
      ]);
    });

    test("end at once with kill -9, refuse connections, and come back on the same port with their state", async () => {
      const [replica] = await lab().startReplicas(1);
      const buildx = await lab().createBuilder({ version: "0.29", address: replica!.address });
      const isUp = async () => /Status: +running/.test((await buildx.run(["inspect"])).stdout);
      expect(await isUp()).toBe(true);

      await replica!.kill9();
      expect(await replica!.processes()).toEqual([]);
      const socket = connect({ host: "127.0.0.1", port: portOf(replica!) });
      expect(await once(socket, "error")).toEqual([expect.objectContaining({ code: "ECONNREFUSED" })]);
      expect(await isUp()).toBe(false);

      await replica!.restart();
      expect(await isUp()).toBe(true);
      expect(await replica!.control.workerUuid()).toBe(replica!.workerUuid);
    });
  },
  { ownReplicas: true },
);

function portOf({ address }: { readonly address: string }): number {
  return Number(address.split(":").at(-1));
}
