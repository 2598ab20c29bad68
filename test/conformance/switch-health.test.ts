import { expect, test } from "vitest";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import { endOf } from "../support/raw-build.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_FIELDS, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

/** `HealthCheckResponse.ServingStatus` (grpc/grpc doc/health-checking.md). */
const SERVING = 1;
const NOT_SERVING = 2;

test("a watched gateway says when it takes no build any more, and when it does again", async () => {
  const rig = await SwitchRig.start({ settings: { MAX_BUILDS: "1", QUEUE_BUILDS: "0" } });
  const replica = new Promise<RawPeer>((resolve) => {
    rig.replica.onSwitchSocket = (socket) => {
      const peer = new RawPeer(socket, "server");
      socket.resume();
      peer.begin("server");
      void readMessage(peer, 1).then(() => resolve(peer));
    };
  });
  const watcher = await rig.client();
  watcher.send(headersFrame(1, requestBlock("/grpc.health.v1.Health/Watch")), dataFrame(1, Buffer.alloc(5), true));
  const nextStatus = async () => (await watcher.nextOf("DATA")).payload.at(-1);
  expect(await nextStatus()).toBe(SERVING);

  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, solveMessage({ ref: "r" }), true));
  expect(await nextStatus()).toBe(NOT_SERVING);
  (await replica).send(headersFrame(1, encodeFields([...RESPONSE_FIELDS, ...OK_FIELDS]), true));
  expect(await endOf(client, 1)).toBe("0");
  expect(await nextStatus()).toBe(SERVING);
});
