import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { hostPort } from "../../src/base/address.ts";
import { createLog } from "../../src/base/log.ts";
import type { LimitName } from "../../src/dataplane/over-limit.ts";
import { SOLVE, sessionBlock } from "../support/build-calls.ts";
import { LogLines } from "../support/lab/log-lines.ts";
import { messageOf, sendBuild, statusOf } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  CLIENT_PREFACE,
  dataFrame,
  encodeFrame,
  FrameType,
  headersFrame,
  pingFrame,
  rstStreamFrame,
} from "../support/raw-http2/frames.ts";
import { RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { SwitchRig } from "../support/switch-rig.ts";

/** How a limit is gone past, by small means. */
interface Offence {
  readonly settings?: Readonly<Record<string, string>>;
  /** Go past it, and see what the client sees. `isTold` resolves when the log has told of it. */
  readonly commit: (rig: SwitchRig, isTold: () => Promise<unknown>) => Promise<unknown>;
  /** Who is named. Default: the client. */
  readonly by?: "replica";
}

const ENHANCE_YOUR_CALM = 0xb;
const SETTINGS_TIMEOUT = 0x4;
const REFUSED_STREAM = 0x7;

const OFFENCES: Readonly<Record<LimitName, Offence>> = {
  connections: {
    settings: { LIMITS_CONNECTIONS: "1" },
    commit: async (rig) => {
      await rig.client();
      const socket = await rig.socket();
      await once(socket.resume(), "close");
    },
  },
  handshakeTimeout: {
    commit: async (rig) => {
      const client = await rig.silentClient();
      client.send(CLIENT_PREFACE);
      await client.nextOf("SETTINGS");
      rig.clock.advance(10_000);
      await expectGoaway(client, SETTINGS_TIMEOUT, "handshakeTimeout");
    },
  },
  connectTimeout: {
    by: "replica",
    commit: async (rig) => {
      const client = await rig.client();
      sendBuild(client);
      const silent = await rig.replica.accepted();
      rig.clock.advance(5_000);
      await silent.ended();
    },
  },
  headersTimeout: {
    commit: async (rig) => {
      const client = await rig.client();
      client.send(encodeFrame(FrameType.HEADERS, 0, 1, requestBlock()));
      for (let second = 0; second < 10; second++) {
        client.send(encodeFrame(FrameType.CONTINUATION, 0, 1, Buffer.alloc(0)));
        await settled(await rig.client());
        rig.clock.advance(1_000);
      }
      await expectGoaway(client, ENHANCE_YOUR_CALM, "headersTimeout");
    },
  },
  requestTimeout: {
    commit: async (rig) => {
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, Buffer.of(0, 0, 0, 9, 0, 1)));
      await settled(client);
      rig.clock.advance(300_000);
      await expectExhausted(client, 1, "requestTimeout");
      await settled(client);
    },
  },
  streams: {
    settings: { LIMITS_STREAMS: "1" },
    commit: async (rig) => {
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock()), headersFrame(3, requestBlock()));
      expect((await client.nextOf("RST_STREAM", 3)).payload.readUInt32BE(0)).toBe(REFUSED_STREAM);
    },
  },
  headerListBytes: {
    settings: { LIMITS_HEADER_LIST_BYTES: "4KiB" },
    commit: async (rig) => {
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock(undefined, [["x", "y".repeat(4_096)]]), true));
      await expectExhausted(client, 1, "headerListBytes");
    },
  },
  replicaHeaderListBytes: {
    by: "replica",
    commit: async (rig) => {
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock(), true));
      const replica = await rig.replica.serve();
      await readMessage(replica, 1);
      const entry = encodeFields([["x", "y".repeat(3_900)]], "incremental");
      replica.send(headersFrame(1, Buffer.concat([RESPONSE_BLOCK, entry, Buffer.alloc(4_400, 0x80 | 62)]), true));
      await expectExhausted(client, 1, "replicaHeaderListBytes");
    },
  },
  solveBytes: {
    settings: { LIMITS_SOLVE_BYTES: "64KiB" },
    commit: async (rig) => {
      const client = await rig.client();
      client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, Buffer.of(0, 0, 1, 0, 1)));
      await expectExhausted(client, 1, "solveBytes");
    },
  },
  heldBytes: {
    settings: { LIMITS_SOLVE_BYTES: "64KiB", LIMITS_HELD_BYTES: "64KiB" },
    commit: async (rig) => {
      const client = await rig.client();
      for (const id of [1, 3]) {
        client.send(headersFrame(id, sessionBlock(`s${id}`)));
        for (let piece = 0; piece < 4; piece++) client.send(dataFrame(id, Buffer.alloc(10_000)));
      }
      await expectExhausted(client, 3, "heldBytes");
    },
  },
  heldStreams: {
    settings: { LIMITS_HELD_STREAMS: "4" },
    commit: async (rig) => {
      const client = await rig.client();
      for (let id = 1; id <= 9; id += 2) client.send(headersFrame(id, sessionBlock(`s${id}`)));
      await expectExhausted(client, 9, "heldStreams");
    },
  },
  backlogBytes: {
    settings: { LIMITS_BACKLOG_BYTES: "64KiB", LIMITS_CONTROL_FRAMES_PER_SECOND: "1000000000" },
    commit: async (rig, isTold) => {
      const client = await rig.client();
      client.socket.pause();
      const pings = Buffer.concat(Array.from({ length: 4_000 }, () => pingFrame(Buffer.alloc(8))));
      const closed = once(client.socket, "close");
      client.socket.on("error", () => {});
      const feed = setInterval(() => client.socket.writable && client.socket.write(pings), 1);
      onTestFinished(() => clearInterval(feed));
      // A socket that is not read from does not see its end: the log says when it is time to look.
      await isTold();
      clearInterval(feed);
      client.socket.resume();
      await closed;
    },
  },
  controlFramesPerSecond: {
    settings: { LIMITS_CONTROL_FRAMES_PER_SECOND: "100" },
    commit: async (rig) => {
      const client = await rig.client();
      for (let i = 0; i < 110; i++) client.send(pingFrame(Buffer.alloc(8)));
      await expectGoaway(client, ENHANCE_YOUR_CALM, "controlFramesPerSecond");
    },
  },
  resetsPerSecond: {
    settings: { LIMITS_RESETS_PER_SECOND: "10" },
    commit: async (rig) => {
      const client = await rig.client();
      for (let id = 1; id < 30; id += 2) client.send(headersFrame(id, requestBlock()), rstStreamFrame(id, 8));
      await expectGoaway(client, ENHANCE_YOUR_CALM, "resetsPerSecond");
    },
  },
};

async function expectGoaway(client: RawPeer, code: number, limit: LimitName): Promise<void> {
  const { payload } = await client.nextOf("GOAWAY");
  expect([payload.readUInt32BE(4), payload.toString("latin1", 8)]).toEqual([
    code,
    expect.stringContaining(`(limits.${limit})`),
  ]);
  await client.ended();
}

async function expectExhausted(client: RawPeer, streamId: number, limit: LimitName): Promise<void> {
  const answer = await readMessage(client, streamId);
  expect([statusOf(answer), messageOf(answer)]).toEqual(["8", expect.stringContaining(`(limits.${limit})`)]);
}

/** How often a gateway says that each limit was reached, the others being 0. */
async function hitsOf({ gateway }: SwitchRig): Promise<Record<string, number>> {
  const admin = gateway.admin as { host: string; port: number };
  const text = await (await fetch(`http://${hostPort(admin.host, admin.port)}/metrics`)).text();
  const lines = [...text.matchAll(/^bkgw_limit_hits_total\{limit="(\w+)"\} (\d+)$/gm)];
  return Object.fromEntries(lines.map(([, limit, hits]) => [limit, Number(hits)]));
}

test.each(Object.entries(OFFENCES))(
  "limits.%s: the peer is told, the log and the metric name it",
  async (limit, it) => {
    const { settings = {}, commit, by = "client" } = it;
    const lines = new LogLines();
    const log = createLog("info", { write: (text) => lines.write(text) });
    const rig = await SwitchRig.start({ admin: "127.0.0.1:0", settings, log });
    const told = lines.next("limit reached", { limit: `limits.${limit}` });
    await commit(rig, () => told);
    const line = await told;
    expect(line).toMatchObject({ level: 40, count: 1, [by]: by === "client" ? "127.0.0.1" : "r1" });
    const hits = await hitsOf(rig);
    expect(hits).toEqual({ ...Object.fromEntries(Object.keys(OFFENCES).map((name) => [name, 0])), [limit]: 1 });
  },
);
