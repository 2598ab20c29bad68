import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { BRIDGE_RETURN, BRIDGE_SOLVE, bridgeBlock, SOLVE, solveMessage } from "../support/build-calls.ts";
import {
  BRIDGE_ID,
  messageOf,
  messagesOf,
  SESSION_ID,
  SOLVE_ID,
  STATUS_ID,
  sendBuild,
  statusOf,
} from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, goawayFrame, headersFrame, settingsFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { type RawMessage, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { sendBody } from "../support/raw-http2/send-body.ts";
import { describeStatus } from "../support/shown-status.ts";
import { SwitchRig } from "../support/switch-rig.ts";

describe("a replica that is lost in the middle of a build (gRPC Errors)", () => {
  async function runningBuild(rig: SwitchRig) {
    const client = await rig.client();
    sendBuild(client);
    const replica = await rig.replica.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(replica, id);
    replica.send(headersFrame(1, RESPONSE_BLOCK), headersFrame(3, RESPONSE_BLOCK));
    await readHeaders(client, SESSION_ID);
    await readHeaders(client, STATUS_ID);
    return { client, replica };
  }

  test.each(["killed", "stopped politely", "broken"] as const)(
    "(%s) ends Solve first, with its name; Status and Session well; and answers what comes later",
    async (how) => {
      const rig = await SwitchRig.start();
      const { client, replica } = await runningBuild(rig);
      const ids = [SESSION_ID, STATUS_ID, SOLVE_ID, BRIDGE_ID];
      if (how === "killed") rig.replica.kill();
      else if (how === "stopped politely") {
        replica.send(goawayFrame(2 ** 31 - 1, 0));
        await settled(replica);
        replica.socket.end();
      } else replica.send(Buffer.from("this is no frame at all, whatever it is meant to be"));
      const order: number[] = [];
      const frames = ids.map(async (id) => {
        const message = await readMessage(client, id);
        order.push(id);
        return message;
      });
      const [session, status, solve, bridge] = (await Promise.all(frames)) as [
        RawMessage,
        RawMessage,
        RawMessage,
        RawMessage,
      ];
      expect([statusOf(session), statusOf(status)]).toEqual(["0", "0"]);
      expect([statusOf(solve), statusOf(bridge)]).toEqual(["14", "14"]);
      expect(messageOf(solve)).toMatch(/^replica r1 went away: ./);
      client.send(headersFrame(11, bridgeBlock(BRIDGE_RETURN, "ref1")), dataFrame(11, Buffer.alloc(5), true));
      const late = await readMessage(client, 11);
      expect([statusOf(late), late.body]).toEqual(["0", Buffer.alloc(5)]);
      client.send(headersFrame(13, bridgeBlock(BRIDGE_SOLVE, "ref1")), dataFrame(13, Buffer.alloc(5), true));
      expect(statusOf(await readMessage(client, 13))).toBe("14");
      expect(rig.leftBehind).toEqual([[0], [0]]);
    },
  );

  test("is told by Solve before anything else", async () => {
    const rig = await SwitchRig.start();
    const { client } = await runningBuild(rig);
    rig.replica.kill();
    const first = await client.next(({ streamId, type }) => streamId > 0 && type === 1);
    expect(first.streamId).toBe(SOLVE_ID);
  });

  test("cuts no answer that it had given whole", async () => {
    const rig = await SwitchRig.start();
    const client = await rig.client([[4, 1_000_000]]);
    client.send(headersFrame(1, requestBlock(), true));
    const replica = await rig.replica.serve();
    await readMessage(replica, 1);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    const body = randomBytes(300_000);
    await sendBody(replica, 1, body, { isEndStream: false });
    replica.send(headersFrame(1, OK_BLOCK, true));
    await settled(replica);
    rig.replica.kill();
    client.send(Buffer.from("000004080000000000000fffff", "hex"));
    const answer = await readMessage(client, 1);
    expect(answer.body.equals(body)).toBe(true);
    expect(statusOf(answer)).toBe("0");
  });

  test("is lost for its own clients only", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const client = await rig.client();
    sendBuild(client, "ref1");
    const first = await rig.replicas[0]!.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(first, id);
    const other = await rig.client();
    sendBuild(other, "ref2");
    const second = await rig.replicas[1]!.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(second, id);
    rig.replicas[0]!.kill();
    expect(messageOf(await readMessage(client, SOLVE_ID))).toContain("r1");
    second.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true));
    expect(statusOf(await readMessage(other, SOLVE_ID))).toBe("0");
    client.send(headersFrame(21, requestBlock(SOLVE)));
    client.send(dataFrame(21, solveMessage({ ref: "ref3" }), true));
    const next = await rig.replicas[1]!.serve();
    await readMessage(next, 1);
  });
});

describe("a replica that speaks nonsense is left out, and its build goes elsewhere", () => {
  const nonsense: [string, (socket: Socket) => void][] = [
    ["HTTP/1.1", (socket) => void socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")],
    ["random octets", (socket) => void socket.write(randomBytes(5_000))],
    ["zeros", (socket) => void socket.write(Buffer.alloc(100))],
    ["nothing, and closes at once", (socket) => void socket.end()],
    ["nothing, and breaks at once", (socket) => void socket.resetAndDestroy()],
    ["GOAWAY at once", (socket) => void socket.write(Buffer.concat([settingsFrame(), goawayFrame(0, 0xb, "busy")]))],
  ];

  const answerHealthily = async (rig: SwitchRig, client: RawPeer) => {
    const healthy = await rig.replicas[1]!.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(healthy, id);
    healthy.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true));
    expect(statusOf(await readMessage(client, SOLVE_ID))).toBe("0");
  };

  test.each(nonsense)("%s", async (_name, speak) => {
    const rig = await SwitchRig.start({ replicas: 2 });
    rig.replicas[0]!.onSwitchSocket = (socket) => {
      socket.resume();
      speak(socket);
    };
    const client = await rig.client();
    sendBuild(client);
    await answerHealthily(rig, client);
  });

  test("nothing at all, until its time is over", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const client = await rig.client();
    sendBuild(client);
    const silent = await rig.replicas[0]!.accepted();
    await settled(client);
    rig.clock.advance(5_000);
    await silent.ended();
    await answerHealthily(rig, client);
  });

  test("and a port that nobody listens on", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    rig.replicas[0]!.kill();
    const client = await rig.client();
    sendBuild(client);
    await answerHealthily(rig, client);
  });

  test("all of them: the build waits and says why, until one speaks sense", async () => {
    const rig = await SwitchRig.start({ replicas: 2 });
    const [first, second] = rig.replicas;
    const usual = second!.onSwitchSocket;
    first!.onSwitchSocket = (socket) => void socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n");
    second!.onSwitchSocket = (socket) => void socket.resume().end();
    const client = await rig.client();
    sendBuild(client);
    await readHeaders(client, STATUS_ID);
    const waiting = messagesOf((await client.nextOf("DATA", STATUS_ID)).payload).flatMap(describeStatus);
    expect(waiting[0]).toBe("vertex started");
    expect(waiting[1]).toMatch(/position 1 of 1 in the queue, waited 0s: .*r1.*r2/);
    expect(waiting[1]).toContain("closed");
    second!.onSwitchSocket = usual;
    rig.clock.advance(30_000);
    const healthy = await second!.serve();
    for (const id of [1, 3, 5, 7]) await readHeaders(healthy, id);
    healthy.send(headersFrame(5, RESPONSE_BLOCK), headersFrame(5, OK_BLOCK, true));
    expect(statusOf(await readMessage(client, SOLVE_ID))).toBe("0");
  });
});
