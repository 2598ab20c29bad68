import { once } from "node:events";
import type http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { drawConnection, makeCalls, planServer } from "../support/random-calls.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";
import { READING_WAYS, SwitchRig } from "../support/switch-rig.ts";

const CONNECTIONS = 25;

async function listening(server: http2.Http2Server): Promise<string> {
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(READING_WAYS)("read $way", ({ parts }) => {
  test("calls of any shape end through the gateway as they end without it", async () => {
    const rig = await SwitchRig.start({ parts });
    const random = seededRandom(testSeed());
    for (let i = 0; i < CONNECTIONS; i++) {
      const plan = drawConnection(random);
      const server = planServer(plan.server);
      const direct = await makeCalls(await listening(server), plan);
      rig.replica.onSwitchSocket = (socket) => void server.emit("connection", socket);
      const through = await makeCalls(`http://127.0.0.1:${rig.address.port}`, plan);
      expect(through, `connection ${i}: ${JSON.stringify(plan)}`).toEqual(direct);
    }
  });
});
