import { once } from "node:events";
import http2 from "node:http2";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { createLog } from "../../src/base/log.ts";
import { LogLines } from "../support/lab/log-lines.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { CLIENT_PREFACE, FrameType, headersFrame, settingsFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { fieldOf, readMessage } from "../support/raw-http2/raw-message.ts";
import { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";

import { READING_WAYS, SwitchRig } from "../support/switch-rig.ts";
import { startWithTls } from "../support/tls-rig.ts";

/** Everything that the other side says until it closes. */
async function allOf(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(socket, "close");
  return Buffer.concat(chunks);
}

describe.each(READING_WAYS)("read $way", ({ parts }) => {
  describe("a client that does not speak HTTP/2 (RFC 9113 §3.4)", () => {
    test.each(["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /grpc HTTP/1.1\r\nContent-Length: 0\r\n\r\n"])(
      "but HTTP/1.1 is told so in HTTP/1.1: %j",
      async (request) => {
        const rig = await SwitchRig.start({ parts });
        const socket = await rig.socket();
        socket.write(request);
        const answer = (await allOf(socket)).toString();
        expect(answer).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
        const [head, body] = answer.split("\r\n\r\n");
        expect(head).toContain(`Content-Length: ${body!.length}`);
        expect(body).toContain("gRPC");
      },
    );

    test("but HTTP/1.1 in two parts is told so once", async () => {
      const rig = await SwitchRig.start({ parts });
      const socket = await rig.socket();
      socket.write("GET / HTTP/1.1\r\n");
      await once(socket, "readable");
      socket.write("Host: x\r\n\r\n");
      expect((await allOf(socket)).toString().match(/HTTP\/1\.1 426/g)).toHaveLength(1);
    });

    test("but HTTP/1.1 with a long body is told so all the same", async () => {
      const rig = await SwitchRig.start({ parts });
      const socket = await rig.socket();
      socket.write(`POST /upload HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n${"PRI * HTTP/2.0".repeat(30_000)}`);
      expect((await allOf(socket)).toString()).toMatch(/^HTTP\/1\.1 426 .*gRPC.*$/s);
    });

    test("but TLS, where TLS is off, reads an alert that names the version", async () => {
      const rig = await SwitchRig.start({ parts });
      const socket = connectTls({ host: "127.0.0.1", port: rig.address.port, rejectUnauthorized: false });
      onTestFinished(() => void socket.destroy());
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      expect(error.code).toBe("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION");
    });

    test.each(["PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "PRx", "hello\n", "\0\0\0\0", "SSH-2.0-x\r\n"])(
      "but garbage reads SETTINGS and GOAWAY(PROTOCOL_ERROR): %j",
      async (garbage) => {
        const rig = await SwitchRig.start({ parts });
        const client = await rig.silentClient();
        client.socket.write(garbage);
        await client.nextOf("SETTINGS");
        expect((await client.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(0x1);
        await client.ended();
        await settled(await rig.client());
      },
    );

    test("and says nothing at all is sent away when its time is over", async () => {
      const rig = await SwitchRig.start({ parts });
      const silent = await rig.socket();
      const half = await rig.silentClient();
      half.send(CLIENT_PREFACE);
      await half.nextOf("SETTINGS");
      const closed = once(silent, "close");
      await settled(await rig.client());
      rig.clock.advance(10_000);
      await closed;
      expect((await half.nextOf("GOAWAY")).payload.readUInt32BE(4)).toBe(0x4);
    });
  });

  describe("over TLS (RFC 9113 §3.2, §9.2)", () => {
    test.each([
      ["without ALPN", {}],
      ["with h2", { ALPNProtocols: ["h2"] }],
    ])("%s a client is served, and reads SETTINGS before it has sent a byte", async (_name, alpn) => {
      const { rig, connect } = await startWithTls({ parts });
      const client = new RawPeer(await connect(alpn), "client");
      expect((await client.next(() => true)).type).toBe(FrameType.SETTINGS);
      client.begin("client");
      client.send(headersFrame(1, requestBlock()));
      const replica = await rig.replica.serve();
      const up = bodyOf(1, 700_000);
      const [request] = await Promise.all([readMessage(replica, 1, { isGranting: true }), sendBody(client, 1, up)]);
      expect(request.body.equals(up)).toBe(true);
      replica.send(headersFrame(1, RESPONSE_BLOCK));
      const down = bodyOf(2, 700_000);
      const [answer] = await Promise.all([
        readMessage(client, 1, { isGranting: true }),
        sendBody(replica, 1, down, { isEndStream: false }).then(() => replica.send(headersFrame(1, OK_BLOCK, true))),
      ]);
      expect(answer.body.equals(down)).toBe(true);
    });

    test("a client that offers only HTTP/1.1 is refused in the handshake", async () => {
      const { connect } = await startWithTls({ parts });
      await expect(connect({ ALPNProtocols: ["http/1.1"] })).rejects.toThrow(/no application protocol/i);
    });

    test("cleartext is served beside it where TLS is optional", async () => {
      const { rig } = await startWithTls({ parts });
      const client = await rig.client();
      await settled(client);
    });

    // Its call must be answered: grpc-go repeats one that meets a GOAWAY only, without end and without a pause.
    test("cleartext is told so, in answer to its first call, where TLS is required", async () => {
      const { rig } = await startWithTls({ parts, mode: "required" });
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock()));
      const { headers } = await readMessage(client, 1);
      expect(fieldOf(headers[0], "grpc-status")).toBe("16");
      expect(fieldOf(headers[0], "grpc-message")).toContain("TLS is required");
      const goaway = await client.nextOf("GOAWAY");
      expect(goaway.payload.readUInt32BE(4)).toBe(0xc);
      expect(goaway.payload.toString("latin1", 8)).toContain("TLS is required");
      await client.ended();
    });
  });
});

test("more clients than limits.connections are turned away, and one that leaves makes room", async () => {
  const rig = await SwitchRig.start({ settings: { LIMITS_CONNECTIONS: "2" } });
  const first = await rig.client();
  const second = await rig.client();
  const third = await rig.silentClient();
  third.begin("client");
  await third.ended();
  await first.destroy();
  await settled(second);
  const freed = await rig.silentClient();
  freed.send(CLIENT_PREFACE, settingsFrame());
  await freed.nextOf("SETTINGS");
});

describe.each(READING_WAYS)("read $way, clients that have not said a word", ({ parts }) => {
  test("count for limits.connections, too", async () => {
    const rig = await SwitchRig.start({ parts, settings: { LIMITS_CONNECTIONS: "2" } });
    const silent = [await rig.socket(), await rig.socket()];
    const third = await rig.silentClient();
    await third.ended();
    silent[0]!.destroy();
    await expect.poll(() => rig.client()).toBeInstanceOf(RawPeer);
  });

  test("count while they make a TLS handshake, until they have gone", async () => {
    const { rig, connect } = await startWithTls({ parts, settings: { LIMITS_CONNECTIONS: "2" } });
    const handshaking = await rig.socket();
    // The beginning of a ClientHello.
    handshaking.write(Buffer.of(0x16, 3, 1, 0, 200, 1));
    const served = await connect({ ALPNProtocols: ["h2"] });
    const third = await rig.silentClient();
    await third.ended();
    served.destroy();
    await expect.poll(() => rig.client()).toBeInstanceOf(RawPeer);
  });
});

test("clients that the gateway closes leave room, over TLS as in the clear", async () => {
  const { rig, connect } = await startWithTls({ settings: { LIMITS_CONNECTIONS: "1" } });
  const closed = async (open: () => Promise<Socket>, bytes: Buffer) => {
    await expect
      .poll(async () => {
        const socket = await open();
        socket.write(bytes);
        return (await allOf(socket)).length;
      })
      .toBeGreaterThan(0);
  };
  for (let round = 0; round < 3; round++) {
    // A handshake that fails, and clients whose first frame is none that may come first.
    await closed(() => rig.socket(), Buffer.concat([Buffer.of(0x16, 3, 1, 0, 4), Buffer.from("junk")]));
    await closed(
      () => connect({ ALPNProtocols: ["h2"] }),
      Buffer.concat([CLIENT_PREFACE, headersFrame(1, requestBlock())]),
    );
    await closed(() => rig.socket(), Buffer.concat([CLIENT_PREFACE, headersFrame(1, requestBlock())]));
  }
});

test("node:http2's own client and server find nothing to complain about", async () => {
  const rig = await SwitchRig.start();
  const server = http2.createServer();
  const complaints: unknown[] = [];
  server.on("sessionError", (error) => complaints.push(error));
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.pipe(stream);
  });
  rig.replica.onSwitchSocket = (socket) => void server.emit("connection", socket);
  const client = http2.connect(`http://127.0.0.1:${rig.address.port}`);
  onTestFinished(() => client.destroy());
  client.on("error", (error) => complaints.push(error));
  const body = bodyOf(3, 900_000);
  const call = client.request({ ":method": "POST", ":path": "/test.Other/Call", "content-type": "application/grpc" });
  const trailers = once(call, "trailers");
  const chunks: Buffer[] = [];
  call.on("data", (chunk: Buffer) => chunks.push(chunk));
  call.end(body);
  const [fields] = (await trailers) as [http2.IncomingHttpHeaders];
  await once(call, "close");
  expect(fields["grpc-status"]).toBe("0");
  expect(Buffer.concat(chunks).equals(body)).toBe(true);
  expect(complaints).toEqual([]);
});

describe("handshakes that come to nothing", () => {
  async function rigWithLog(settings: Readonly<Record<string, string>> = {}) {
    const lines = new LogLines();
    const log = createLog("info", { write: (text) => lines.write(text) });
    return { ...(await startWithTls({ log, settings })), lines };
  }

  test("for lack of a client are over in time, and told of once", async () => {
    const { rig, connect, lines } = await rigWithLog({ LIMITS_HANDSHAKE_TIMEOUT: "200ms" });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => rig.socket()));
    for (const socket of sockets) socket.resume().write(Buffer.of(0x16, 3, 1));
    await Promise.all(sockets.map((socket) => once(socket, "close")));
    expect(lines.of("limit reached")).toMatchObject([
      { limit: "limits.handshakeTimeout", client: "127.0.0.1", count: 1 },
    ]);
    await connect();
  });

  test("for what the client says are told of once a minute, with how many there were", async () => {
    const { rig, connect, lines } = await rigWithLog();
    const fail = async () => {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => rig.socket()));
      for (const socket of sockets) socket.resume().write("\x16\x03\x01\x00\x05hello");
      await Promise.all(sockets.map((socket) => once(socket, "close")));
    };
    await fail();
    rig.clock.advance(60_000);
    await fail();
    expect(lines.of("TLS handshake failed").map(({ client, count }) => [client, count])).toEqual([
      ["127.0.0.1", 1],
      ["127.0.0.1", 10],
    ]);
    await connect();
  });
});
