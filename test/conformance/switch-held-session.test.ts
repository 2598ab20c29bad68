import { once } from "node:events";
import http2 from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { sessionBlock } from "../support/build-calls.ts";
import { holdBuild, SESSION_ID, startGated } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { CLIENT_PREFACE, headersFrame, rstStreamFrame, windowUpdateFrame } from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK, RESPONSE_FIELDS } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { bodyOf } from "../support/raw-http2/send-body.ts";
import { seededRandom, testSeed } from "../support/seeded-random.ts";
import { TunnelEnd } from "../support/tunnel-end.ts";

describe("a Session that is held", () => {
  test("is begun in the replica's place after a second: its client waits ten for a preface", async () => {
    const { rig, client } = await holdBuild();
    rig.clock.advance(1_000);
    expect(await readHeaders(client, SESSION_ID)).toEqual(RESPONSE_FIELDS);
    const data = await client.nextOf("DATA", SESSION_ID);
    const inner = Buffer.concat([CLIENT_PREFACE, Buffer.from("000000040000000000", "hex")]);
    expect(data.payload).toEqual(Buffer.concat([Buffer.of(0, 0, 0, 0, inner.length + 2, 0x0a, inner.length), inner]));
  });

  test.each([0, 1_000])(
    "for %i ms carries one HTTP/2 connection from end to end afterwards, cut anywhere",
    async (heldMs) => {
      const cuts = seededRandom(testSeed());
      const { rig, gate, client } = await holdBuild();
      // buildx: a server inside its own Session, from the start.
      const inner = http2.createServer();
      inner.on("stream", (stream) => {
        stream.respond({ ":status": 200 });
        stream.pipe(stream);
      });
      const complaints: unknown[] = [];
      inner.on("sessionError", (error) => complaints.push(error));
      let clientEnd: TunnelEnd | undefined;
      const beginClientEnd = async () => {
        await readHeaders(client, SESSION_ID);
        clientEnd = new TunnelEnd(client, SESSION_ID, cuts);
        inner.emit("connection", clientEnd);
      };
      const begun = beginClientEnd();
      rig.clock.advance(heldMs);
      if (heldMs > 0) {
        await begun;
        await settled(client);
      }
      gate.open();
      const replica = await rig.replica.serve();
      replica.send(windowUpdateFrame(0, 10_000_000));
      await readHeaders(replica, 1);
      replica.send(headersFrame(1, RESPONSE_BLOCK));
      // buildkitd: a client inside, as soon as the Session reaches it.
      const replicaEnd = new TunnelEnd(replica, 1, cuts);
      const daemon = http2.connect("http://session", { createConnection: () => replicaEnd });
      onTestFinished(() => daemon.destroy());
      daemon.on("error", (error) => complaints.push(error));
      await begun;
      const exchanges = [0, 1, 70_000, 300_000].map(async (bytes) => {
        const body = bodyOf(bytes, bytes);
        const call = daemon.request({ ":method": "POST", ":path": "/moby.filesync.v1.FileSync/DiffCopy" });
        const chunks: Buffer[] = [];
        call.on("data", (chunk: Buffer) => chunks.push(chunk));
        call.end(body);
        await once(call, "end");
        expect(Buffer.concat(chunks).equals(body)).toBe(true);
      });
      await Promise.all(exchanges);
      expect(complaints).toEqual([]);
      // One preface and no more SETTINGS acknowledgements than SETTINGS.
      const prefaces = Buffer.concat(clientEnd!.arrived).toString("latin1").split(CLIENT_PREFACE.toString("latin1"));
      expect(prefaces).toHaveLength(2);
      expect([client.flow.violations, replica.flow.violations]).toEqual([[], []]);
    },
  );

  test("and begun, ends with the replica's own status where the replica refuses it", async () => {
    const { rig, gate, client } = await holdBuild();
    rig.clock.advance(1_000);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    replica.send(
      headersFrame(1, encodeFields([...RESPONSE_FIELDS, ["grpc-status", "7"], ["grpc-message", "no"]]), true),
    );
    const session = await readMessage(client, SESSION_ID);
    expect(session.headers).toEqual([
      RESPONSE_FIELDS,
      [
        ["grpc-status", "7"],
        ["grpc-message", "no"],
      ],
    ]);
  });

  test("without a Solve stays for as long as its client likes", async () => {
    const { rig } = await startGated();
    const client = await rig.client();
    client.send(headersFrame(1, sessionBlock("nobody")));
    await settled(client);
    rig.clock.advance(600_000);
    await readHeaders(client, 1);
    await client.nextOf("DATA", 1);
    await settled(client);
    expect(client.received.filter(({ streamId }) => streamId === 1)).toEqual([]);
    expect(rig.replica.waiting).toBe(0);
    client.send(rstStreamFrame(1, 8));
    await settled(client);
  });
});
