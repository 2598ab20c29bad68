import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Placer } from "../../src/routing/placer.ts";
import { endWell, STAGES, type Stage } from "../support/faults/stages.ts";
import { GatedPlacer } from "../support/gated-placer.ts";
import { GatewayProcess } from "../support/lab/gateway-process.ts";
import { BRIDGE_ID, SESSION_ID, SOLVE_ID, STATUS_ID, sendBuild, statusOf } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, headersFrame, windowUpdateFrame } from "../support/raw-http2/frames.ts";
import { OK_BLOCK, RESPONSE_BLOCK, requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { beginClient, connectTo } from "../support/raw-http2/raw-client.ts";
import { readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import type { RawPeer } from "../support/raw-http2/raw-peer.ts";
import { sendBody } from "../support/raw-http2/send-body.ts";
import { ScriptedReplica, SWITCH_MARK_BYTES } from "../support/scripted-replica.ts";

const MIB = 2 ** 20;

/** A gateway as users run it, under `limits` of its process, in front of a replica that the test scripts. */
async function start(program: readonly string[], settings: Readonly<Record<string, string>> = {}) {
  const replica = await ScriptedReplica.start("r1");
  onTestFinished(() => replica.stop());
  const env = Object.fromEntries(Object.entries(settings).map(([name, text]) => [`BUILDKIT_GATEWAY_${name}`, text]));
  const gateway = await GatewayProcess.start({
    program: [...program, "dist/main.js"],
    replicas: [{ name: "r1", address: replica.address }],
    env: {
      BUILDKIT_GATEWAY_LIMITS_REPLICA_HEADER_LIST_BYTES: `${SWITCH_MARK_BYTES}B`,
      BUILDKIT_GATEWAY_MAX_BUILDS: "0",
      ...env,
    },
  });
  onTestFinished(() => gateway.kill());
  return { replica, gateway, port: Number(/\d+$/.exec(gateway.address)![0]) };
}

/** A build that runs, at both ends. */
async function runBuild(replica: ScriptedReplica, client: RawPeer, ref: string): Promise<RawPeer> {
  const serving = replica.serve();
  sendBuild(client, ref);
  const upstream = await serving;
  for (const id of [SESSION_ID, STATUS_ID, SOLVE_ID, BRIDGE_ID]) await readHeaders(upstream, id);
  upstream.send(headersFrame(SESSION_ID, RESPONSE_BLOCK), headersFrame(STATUS_ID, RESPONSE_BLOCK));
  for (const id of [SESSION_ID, STATUS_ID]) await readHeaders(client, id);
  return upstream;
}

/** A build of each stage, but for the queue's: that holds nothing of a gateway's but its calls. */
async function buildsOfAllStages({ replica, port }: Pick<Awaited<ReturnType<typeof start>>, "replica" | "port">) {
  const gate = new GatedPlacer({} as Placer);
  const builds: { readonly stage: Stage; readonly client: RawPeer; readonly upstream: Promise<RawPeer> | undefined }[] =
    [];
  for (const stage of STAGES.filter(({ calls }) => calls !== "held")) {
    const client = await beginClient(port);
    let upstream: Promise<RawPeer> | undefined;
    await stage.reach({
      client,
      gate,
      get upstream() {
        upstream = replica.serve();
        return upstream;
      },
    });
    builds.push({ stage, client, upstream });
  }
  return builds;
}

/** Each goes on where it was, to its end. */
async function allEndWell(builds: Awaited<ReturnType<typeof buildsOfAllStages>>): Promise<void> {
  for (const { stage, client, upstream } of builds) {
    if (stage.calls === "placed") {
      endWell((await upstream)!);
      for (const id of stage.openIds) expect(statusOf(await readMessage(client, id)), stage.name).toBe("0");
    }
    await settled(client);
    await client.destroy();
  }
}

async function goesOn(client: RawPeer, upstream: RawPeer): Promise<void> {
  client.send(dataFrame(SESSION_ID, Buffer.from("up")));
  await upstream.nextOf("DATA", SESSION_ID);
  upstream.send(dataFrame(STATUS_ID, Buffer.from("down")));
  await client.nextOf("DATA", STATUS_ID);
}

async function endsWell(client: RawPeer, upstream: RawPeer): Promise<void> {
  upstream.send(headersFrame(SOLVE_ID, RESPONSE_BLOCK), headersFrame(SOLVE_ID, OK_BLOCK, true));
  expect(statusOf(await readMessage(client, SOLVE_ID))).toBe("0");
}

const openFiles = ({ pid }: GatewayProcess) => readdirSync(`/proc/${pid}/fd`).length;

const residentMib = ({ pid }: GatewayProcess) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1_024;

test("open files: further clients are turned away, builds of those that are there go on and start, and room comes back", async () => {
  const { replica, gateway, port } = await start(["prlimit", "--nofile=128:128", process.execPath]);
  const { connections: room } = await gateway.lines.next("fewer connections than configured: open files");
  expect(room).toBe(48);
  const before = openFiles(gateway);
  const builds = await buildsOfAllStages({ replica, port });
  const others: RawPeer[] = [];
  for (let i = builds.length; i < 48; i++) others.push(await beginClient(port));
  for (let i = 0; i < 20; i++) {
    const refused = await connectTo(port);
    await once(refused.resume(), "close");
  }
  expect(await gateway.lines.next("limit reached")).toMatchObject({ limit: "limits.connections", client: "127.0.0.1" });
  expect((await gateway.ask("/metrics")).text).toContain('bkgw_limit_hits_total{limit="connections"} 20');
  // Every client that is there can build.
  const upstreams = [];
  for (const [i, client] of others.entries()) upstreams.push(await runBuild(replica, client, `build ${i}`));
  for (const [i, client] of others.entries()) await endsWell(client, upstreams[i]!);
  await allEndWell(builds);
  expect(openFiles(gateway)).toBeLessThan(128);

  for (const client of others) await client.destroy();
  await expect.poll(() => openFiles(gateway), { timeout: 20_000 }).toBeLessThanOrEqual(before);
  await settled(await beginClient(port));
  expect(gateway.lines.all.filter(({ level }) => level >= 50)).toEqual([]);
});

test("memory: readers that never read cost what their windows and limits allow, and a neighbour's build goes on", async () => {
  const { replica, gateway, port } = await start([process.execPath, "--max-old-space-size=48"], {
    LIMITS_BACKLOG_BYTES: "1MiB",
  });
  const neighbour = await beginClient(port);
  const upstream = await runBuild(replica, neighbour, "neighbour");
  const builds = await buildsOfAllStages({ replica, port });
  const before = residentMib(gateway);
  const readers = 8;
  let unsentBytes = 0;
  for (let i = 0; i < readers; i++) {
    const serving = replica.serve();
    const reader = await beginClient(port, [[4, 2 ** 31 - 1]]);
    reader.send(windowUpdateFrame(0, 2 ** 30), headersFrame(1, requestBlock(), true));
    const sender = await serving;
    await readMessage(sender, 1);
    sender.send(headersFrame(1, RESPONSE_BLOCK));
    await readHeaders(reader, 1);
    reader.socket.pause();
    sendBody(sender, 1, Buffer.alloc(24 * MIB), { isEndStream: false }).catch(() => {});
    const socket = sender.socket as Socket;
    // It is stuck once its own socket takes no more for a while.
    for (let turns = 0, left = -1; turns < 100; turns = socket.writableLength === left && left > 0 ? turns + 1 : 0) {
      left = socket.writableLength;
      await new Promise(setImmediate);
    }
    unsentBytes += socket.writableLength;
  }
  const grown = residentMib(gateway) - before;
  const unsent = unsentBytes / MIB;
  console.log(
    `${readers} readers of 24 MiB that never read: ${grown.toFixed(0)} MiB more, ${unsent.toFixed(0)} MiB not taken`,
  );
  expect(unsent).toBeGreaterThan(readers * 8);
  expect(grown).toBeLessThan(readers * 6);
  await goesOn(neighbour, upstream);
  await endsWell(neighbour, upstream);
  await allEndWell(builds);
});

test("connections: ten thousand at once, idle, leave a build in peace, and nothing behind", async () => {
  const { replica, gateway, port } = await start([process.execPath]);
  const room = gateway.lines.of("fewer connections than configured: open files")[0]?.connections as number | undefined;
  const count = Math.min(10_000, (room ?? 10_001) - 1);
  const before = openFiles(gateway);
  const client = await beginClient(port);
  const upstream = await runBuild(replica, client, "among many");
  const emptyMib = residentMib(gateway);
  const idle: RawPeer[] = [];
  for (let at = 0; at < count; at += 200) {
    const some = Array.from({ length: Math.min(200, count - at) }, () => beginClient(port));
    idle.push(...(await Promise.all(some)));
  }
  const kib = ((residentMib(gateway) - emptyMib) * 1_024) / count;
  console.log(`${count} idle connections: ${kib.toFixed(1)} KiB each`);
  await goesOn(client, upstream);
  await endsWell(client, upstream);
  for (const { socket } of [client, ...idle]) socket.destroy();
  await expect.poll(() => openFiles(gateway), { timeout: 60_000 }).toBeLessThanOrEqual(before);
});
