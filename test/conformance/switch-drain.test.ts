import { expect, test } from "vitest";
import { BRIDGE_PING, SOLVE, solveMessage } from "../support/build-calls.ts";
import { endOf } from "../support/raw-build.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_FIELDS, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const OK = encodeFields([...RESPONSE_FIELDS, ...OK_FIELDS]);
const HEALTH_WATCH = "/grpc.health.v1.Health/Watch";

/** A gateway with an admin port, and a client whose build on r1 has just ended; `answer` ends its next call there. */
async function startAfterBuild() {
  const rig = await SwitchRig.start({ admin: "127.0.0.1:0" });
  let replica: RawPeer | undefined;
  rig.replica.onSwitchSocket = (socket) => {
    replica = new RawPeer(socket, "server");
    socket.resume();
    replica.begin("server");
    void readMessage(replica, 1).then(() => replica!.send(headersFrame(1, OK, true)));
  };
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, solveMessage({ ref: "r" }), true));
  expect(await endOf(client, 1)).toBe("0");
  const admin = rig.gateway.admin as { port: number };
  const drainStatus = async () => (await fetch(`http://127.0.0.1:${admin.port}/drain/r1`)).status;
  return { rig, client, replica: replica!, drainStatus };
}

test("a replica is idle 1 s after its last build, since its client may yet ask what was built", async () => {
  const { rig, drainStatus } = await startAfterBuild();
  rig.clock.advance(999);
  expect(await drainStatus()).toBe(408);
  rig.clock.advance(1);
  expect(await drainStatus()).toBe(200);
});

test("a replica is not idle while a client has a call open on it, nor right after", async () => {
  const { rig, client, replica, drainStatus } = await startAfterBuild();
  client.send(headersFrame(3, requestBlock(BRIDGE_PING)));
  await replica.nextOf("HEADERS");
  rig.clock.advance(10_000);
  expect(await drainStatus()).toBe(408);
  client.send(dataFrame(3, Buffer.alloc(5), true));
  replica.send(headersFrame(3, OK, true));
  expect(await endOf(client, 3)).toBe("0");
  rig.clock.advance(999);
  expect(await drainStatus()).toBe(408);
  rig.clock.advance(1);
  expect(await drainStatus()).toBe(200);
});

test("a replica is idle though its client has a call open that the gateway answers", async () => {
  const { rig, client, drainStatus } = await startAfterBuild();
  client.send(headersFrame(3, requestBlock(HEALTH_WATCH)), dataFrame(3, Buffer.alloc(5), true));
  await client.nextOf("DATA");
  rig.clock.advance(2_000);
  expect(await drainStatus()).toBe(200);
});
