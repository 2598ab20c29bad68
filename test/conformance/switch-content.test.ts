import { status as grpcStatus } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { contentRpcs, controlRpcs } from "../../src/buildkit/wire-contracts.ts";
import { SOLVE, solveMessage } from "../support/build-calls.ts";
import { refusal } from "../support/grpc-replica.ts";
import { endOf, messageOf, statusOf } from "../support/raw-build.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { grpcMessage } from "../support/raw-http2/grpc-message.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import type { ScriptedReplica } from "../support/scripted-replica.ts";
import { SwitchRig } from "../support/switch-rig.ts";

const { Info, Read } = contentRpcs;
const DIGEST = "sha256:1";

/** A busy machine takes its time. */
const SOON = { timeout: 4_000, interval: 10 };

/** Two replicas, of which the first has the content; both answer every call of the switch's with their names. */
async function startRig() {
  const rig = await SwitchRig.start({ replicas: 2 });
  const called: string[] = [];
  for (const [index, replica] of rig.replicas.entries()) {
    has(replica, ...(index === 0 ? [DIGEST] : []));
    replica.onSwitchSocket = (socket) => {
      const peer = new RawPeer(socket, "server");
      socket.resume();
      peer.begin("server");
      const answer = async (streamId: number): Promise<void> => {
        await readMessage(peer, streamId);
        called.push(replica.name);
        peer.send(
          headersFrame(streamId, RESPONSE_BLOCK),
          dataFrame(streamId, grpcMessage(Buffer.from(replica.name))),
          headersFrame(streamId, OK_BLOCK, true),
        );
        await answer(streamId + 2);
      };
      // The connection ends with its client.
      answer(1).catch(() => {});
    };
  }
  return { rig, called };
}

function has({ grpc }: ScriptedReplica, ...digests: string[]): void {
  grpc.unary.set(Info.path, ({ digest }) => {
    if (digests.includes(String(digest))) return { info: { digest } };
    throw refusal(grpcStatus.NOT_FOUND, "not found");
  });
}

/** How often each replica has been asked for content by the gateway itself. */
function asked({ replicas }: SwitchRig): number[] {
  return replicas.map(({ grpc }) => grpc.calls.filter((path) => path === Info.path).length);
}

function readContent(client: RawPeer, streamId: number, digest = DIGEST): void {
  const request = grpcMessage(Read.requestSerialize({ digest }));
  // The digest comes in two parts: the call is held until it is there.
  client.send(headersFrame(streamId, requestBlock(Read.path)), dataFrame(streamId, request.subarray(0, 9)));
  client.send(dataFrame(streamId, request.subarray(9), true));
}

describe("content", () => {
  test("is read where it is, from any connection, and its owner is asked for once", async () => {
    const { rig } = await startRig();
    for (let connection = 0; connection < 3; connection++) {
      const client = await rig.client();
      readContent(client, 1);
      const { body, headers } = await readMessage(client, 1);
      expect(body.subarray(5).toString()).toBe(rig.replicas[0]!.name);
      expect(statusOf({ body, headers, pieces: [] })).toBe("0");
      await client.destroy();
    }
    expect(asked(rig)).toEqual([1, 1]);
  });

  test("that its owner has thrown away is read where else it is", async () => {
    const { rig } = await startRig();
    const [first, second] = rig.replicas as [ScriptedReplica, ScriptedReplica];
    const record = { Ref: "r", CompletedAt: { seconds: 1, nanos: 0 } };
    const losses = [
      async () => {
        first.grpc.tell({ type: "COMPLETE", record });
        await expect.poll(() => rig.fleet.holdersOf("r"), SOON).toEqual([first.name]);
        first.grpc.tell({ type: "DELETED", record: { Ref: "r" } });
        await expect.poll(() => rig.fleet.holdersOf("r"), SOON).toEqual([]);
      },
      async () => {
        first.grpc.streams.set(controlRpcs.Prune.path, (call) => {
          call.write({ ID: "x" });
          call.end();
        });
        second.grpc.streams.set(controlRpcs.Prune.path, (call) => call.end());
        const client = await rig.client();
        client.send(
          headersFrame(1, requestBlock(controlRpcs.Prune.path)),
          dataFrame(1, grpcMessage(Buffer.alloc(0)), true),
        );
        expect(await endOf(client, 1)).toBe("0");
      },
    ];
    for (const [index, lose] of losses.entries()) {
      const digest = `sha256:${index}`;
      const client = await rig.client();
      has(first, digest);
      has(second);
      readContent(client, 1, digest);
      expect((await readMessage(client, 1)).body.subarray(5).toString()).toBe(first.name);
      await lose();
      has(first);
      has(second, digest);
      readContent(client, 3, digest);
      expect((await readMessage(client, 3)).body.subarray(5).toString()).toBe(second.name);
    }
  });

  test("of a client that has built is read at its build's replica, and nobody is asked", async () => {
    const { rig, called } = await startRig();
    const client = await rig.client();
    client.send(
      headersFrame(1, requestBlock(SOLVE)),
      dataFrame(1, solveMessage({ ref: "ref1", attrs: { "vcs:source": "https://github.com/acme/app.git" } }), true),
    );
    expect(await endOf(client, 1)).toBe("0");
    readContent(client, 3);
    expect(await endOf(client, 3)).toBe("0");
    expect(called).toEqual([called[0], called[0]]);
    expect(asked(rig)).toEqual([0, 0]);
  });

  test("that nobody has is any replica's to refuse; where one is missing, it is named", async () => {
    const { rig, called } = await startRig();
    const client = await rig.client();
    readContent(client, 1, "sha256:2");
    expect(await endOf(client, 1)).toBe("0");
    expect(called).toHaveLength(1);
    rig.fleet.reportFailure(rig.replicas[0]!.name, "lost");
    readContent(client, 3, "sha256:3");
    const answer = await readMessage(client, 3);
    expect(statusOf(answer)).toBe("14");
    expect(messageOf(answer)).toBe(
      `the answer would not be complete without replica ${rig.replicas[0]!.name} (lost) (control.incomplete.history)`,
    );
  });

  test("whose request cannot be read is refused", async () => {
    const { rig } = await startRig();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(Read.path)), dataFrame(1, grpcMessage(Buffer.of(0x0a, 200)), true));
    expect(await endOf(client, 1)).toBe("3");
    client.send(headersFrame(3, requestBlock(Read.path)), dataFrame(3, Buffer.of(0, 0), true));
    expect(await endOf(client, 3)).toBe("3");
  });
});
