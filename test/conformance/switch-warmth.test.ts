import { expect, test } from "vitest";
import { PRUNE, SOLVE, solveMessage } from "../support/build-calls.ts";
import { endOf } from "../support/raw-build.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_FIELDS, RESPONSE_FIELDS, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const OK_TRAILERS = encodeFields([...RESPONSE_FIELDS, ...OK_FIELDS]);
const FAILED_TRAILERS = encodeFields([...RESPONSE_FIELDS, ["grpc-status", "2"]]);

/** Two replicas that answer every call with this, and the names of those that were called. */
async function startAnswering() {
  const rig = await SwitchRig.start({ replicas: 2 });
  const called: string[] = [];
  const answer = { block: OK_TRAILERS };
  for (const replica of rig.replicas) {
    replica.onSwitchSocket = (socket) => {
      const peer = new RawPeer(socket, "server");
      socket.resume();
      peer.begin("server");
      called.push(replica.name);
      void readMessage(peer, 1).then(() => peer.send(headersFrame(1, answer.block, true)));
    };
  }
  return { rig, called, answer };
}

/** Make one call on a connection of its own, to its end. */
async function call(rig: SwitchRig, path: string, message: Buffer): Promise<string | undefined> {
  const client = await rig.client();
  client.send(headersFrame(1, requestBlock(path)), dataFrame(1, message, true));
  const status = await endOf(client, 1);
  await client.destroy();
  return status;
}

let builds = 0;

function build(rig: SwitchRig): Promise<string | undefined> {
  const attrs = { "vcs:source": "https://github.com/acme/app.git" };
  return call(rig, SOLVE, solveMessage({ ref: `ref${++builds}`, attrs }));
}

test("a build goes back to where its key last succeeded, until the caches there are pruned", async () => {
  const { rig, called, answer } = await startAnswering();
  expect(await build(rig)).toBe("0");
  const [preferred] = called;
  const other = rig.replicas.find(({ name }) => name !== preferred)!.name;
  rig.fleet.drain(preferred!);
  answer.block = FAILED_TRAILERS;
  expect(await build(rig)).toBe("2");
  rig.fleet.undrain(preferred!);
  await rig.allReady();
  answer.block = OK_TRAILERS;
  // What failed elsewhere has warmed nothing there.
  await build(rig);
  rig.fleet.drain(preferred!);
  await build(rig);
  rig.fleet.undrain(preferred!);
  await rig.allReady();
  await build(rig);
  expect(called).toEqual([preferred, other, preferred, other, other]);
  rig.replicas
    .find(({ name }) => name === other)!
    .grpc.streams.set(PRUNE, (prune) => {
      prune.write({ ID: "layer", Size: 1 });
      prune.end();
    });
  rig.replicas.find(({ name }) => name === preferred)!.grpc.streams.set(PRUNE, (prune) => prune.end());
  expect(await call(rig, PRUNE, Buffer.alloc(5))).toBe("0");
  await build(rig);
  expect(called.slice(5)).toEqual([preferred]);
});
