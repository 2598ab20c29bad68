import { deepStrictEqual } from "node:assert/strict";
import { once } from "node:events";
import type http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { drawConnection, makeCalls, planServer } from "../../support/random-calls.ts";
import { Draw } from "../draw.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { startSwitch } from "../switch-under-fuzz.ts";

/** Calls of any shape between node:http2's client and server end through the switch as they end without it. */
export const target: FuzzTarget = {
  name: "calls",
  maxInputBytes: 1_000,
  shortRunInputs: 8,
  sources: [],
  slowMs: 10_000,
  hangMs: 90_000,
  open: async () => {
    const { rig, close } = await startSwitch();
    const run = async (input: Buffer): Promise<void> => {
      const plan = drawConnection(new Draw(input).fraction);
      const server = planServer(plan.server);
      try {
        const direct = await makeCalls(await listening(server), plan);
        rig.replica.onSwitchSocket = (socket) => void server.emit("connection", socket);
        const through = await makeCalls(`http://127.0.0.1:${rig.address.port}`, plan);
        deepStrictEqual(through, direct);
      } finally {
        server.close();
      }
    };
    return { run, close };
  },
};

async function listening(server: http2.Http2Server): Promise<string> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
