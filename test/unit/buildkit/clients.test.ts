import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import type { Address } from "../../../src/base/address.ts";
import { failureText } from "../../../src/buildkit/call-failure.ts";
import { ReplicaClient } from "../../../src/buildkit/replica-client.ts";
import { type BuildHistoryEvent, bridgeRpcs, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { GrpcReplica, type GrpcReplicaBehaviour } from "../../support/grpc-replica.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startReplica(behaviour: Partial<GrpcReplicaBehaviour> = {}): Promise<GrpcReplica> {
  const replica = await GrpcReplica.start(behaviour);
  cleanups.push(() => replica.kill());
  return replica;
}

function clientOf(address: Address, onConnectionLost?: () => void): ReplicaClient {
  const client = new ReplicaClient({ address, ...(onConnectionLost && { onConnectionLost }) });
  cleanups.push(() => client.close());
  return client;
}

/** A peer that accepts connections, keeps them open on its side whatever happens, and is not a BuildKit. */
async function startPeer(onSocket: (socket: Socket) => void): Promise<{ server: Server; address: Address }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { server, address: { t: "tcp", host: "127.0.0.1", port: (server.address() as AddressInfo).port } };
}

async function failure(call: Promise<unknown>): Promise<Error & { code?: number }> {
  return await call.then(
    () => expect.fail("the call succeeds"),
    (error) => error,
  );
}

describe("calls to one replica", () => {
  test("an answer is kept in bytes and read", async () => {
    const client = clientOf((await startReplica()).address);
    const info = await client.info(5_000);
    expect(info.value?.version).toBe("v0.25.2");
    expect(controlRpcs.Info.responseDeserialize(info.bytes).buildkitVersion?.version).toBe("v0.25.2");
    const workers = await client.listWorkers(5_000);
    expect(workers.value.map(({ ID }) => ID)).toEqual(["worker-1"]);
  });

  test("health is what the service says, or nothing where there is no such service", async () => {
    const replica = await startReplica();
    const client = clientOf(replica.address);
    expect(await client.health(5_000)).toBe("SERVING");
    replica.behaviour.health = "NOT_SERVING";
    expect(await client.health(5_000)).toBe("NOT_SERVING");
    replica.behaviour.health = undefined;
    expect(await client.health(5_000)).toBeUndefined();
  });

  test("a build is known while it runs and when it is done, not once it is deleted", async () => {
    const replica = await startReplica({
      history: [
        { type: "STARTED", record: { Ref: "runs" } },
        { type: "COMPLETE", record: { Ref: "done" } },
        { type: "DELETED", record: { Ref: "deleted" } },
      ],
    });
    const client = clientOf(replica.address);
    const known = await Promise.all(
      ["runs", "done", "deleted", "other"].map((ref) => client.knowsBuild(ref, { timeoutMs: 5_000 })),
    );
    expect(known).toEqual([true, true, false, false]);
  });

  test("the probe gets the Pong and leaves no Solve behind", async () => {
    const replica = await startReplica({ workerId: "w" });
    const pong = await clientOf(replica.address).pong(5_000);
    expect(bridgeRpcs.Ping.responseDeserialize(pong)).toMatchObject({ Workers: [{ ID: "w" }] });
    expect(replica.calls.filter((path) => path.includes("LLBBridge"))).toEqual([
      bridgeRpcs.Ping.path,
      bridgeRpcs.Return.path,
    ]);
    expect(replica.openSolves).toBe(0);
  });

  test("a probe without an answer ends its Solve", async () => {
    const replica = await startReplica({ isSilent: true });
    const error = await failure(clientOf(replica.address).pong(200));
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    await expect.poll(() => replica.openSolves).toBe(0);
  });

  test("a call that is not answered ends at its deadline", async () => {
    const { address } = await startReplica({ isSilent: true });
    const error = await failure(clientOf(address).info(50));
    expect(failureText(error, 50)).toBe("no answer in 50 ms");
  });

  test("closing ends the calls that are open", async () => {
    const replica = await startReplica({ isSilent: true });
    const client = clientOf(replica.address);
    const call = failure(client.info(60_000));
    await expect.poll(() => replica.calls).toHaveLength(1);
    client.close();
    expect((await call).code).toBe(status.CANCELLED);
  });

  test("the loss of the connection is told, its end by ourselves is not", async () => {
    const replica = await startReplica();
    let losses = 0;
    const lost = new Promise<void>((resolve) => {
      const client = clientOf(replica.address, () => {
        losses++;
        resolve();
      });
      void client.info(5_000).then(() => replica.kill());
    });
    await lost;
    expect(losses).toBe(1);

    const { address } = await startReplica();
    const client = clientOf(address, () => losses++);
    await client.info(5_000);
    client.close();
    await clientOf(address).info(5_000);
    expect(losses).toBe(1);
  });
});

describe("a history that is followed", () => {
  const running: BuildHistoryEvent = { type: "STARTED", record: { Ref: "runs" } };
  const done: BuildHistoryEvent = { type: "COMPLETE", record: { Ref: "done" } };

  /** What a follower of the replica's history hears, and the way to stop. */
  function follow(client: ReplicaClient, activeOnly = false) {
    const heard: string[] = [];
    const cancel = client.followHistory(activeOnly, {
      onOpen: () => heard.push("open"),
      onEvent: ({ t, buildRef }) => heard.push(`${t} ${buildRef}`),
      onEnd: (error) => heard.push(error ? `error ${error.code}` : "end"),
    });
    return { heard, cancel };
  }

  test("tells what runs, what is done, and then what happens", async () => {
    const replica = await startReplica({ history: [done, running] });
    const { heard } = follow(clientOf(replica.address));
    await expect.poll(() => heard).toEqual(["open", "started runs", "complete done"]);
    expect(replica.historyRequests).toMatchObject([{ ActiveOnly: false, Limit: 0, Ref: "", EarlyExit: false }]);
    replica.tell({ type: "COMPLETE", record: { Ref: "runs" } }, { type: "DELETED", record: { Ref: "done" } });
    await expect.poll(() => heard.slice(3)).toEqual(["complete runs", "deleted done"]);
    replica.endHistory();
    await expect.poll(() => heard.slice(5)).toEqual(["end"]);
  });

  test("tells what runs alone where only that is wanted", async () => {
    const { heard } = follow(clientOf((await startReplica({ history: [done, running] })).address), true);
    await expect.poll(() => heard).toEqual(["open", "started runs"]);
  });

  test("says why it ends, and was not opened where there is none", async () => {
    const replica = await startReplica({ historyFailure: status.UNIMPLEMENTED });
    const client = clientOf(replica.address);
    const refused = follow(client);
    await expect.poll(() => refused.heard).toEqual([`error ${status.UNIMPLEMENTED}`]);
    replica.behaviour.historyFailure = undefined;
    const { heard } = follow(client);
    await expect.poll(() => heard).toEqual(["open"]);
    replica.endHistory(status.INTERNAL);
    await expect.poll(() => heard).toEqual(["open", `error ${status.INTERNAL}`]);
  });

  test("says nothing any more once it is cancelled", async () => {
    const replica = await startReplica();
    const { heard, cancel } = follow(clientOf(replica.address));
    await expect.poll(() => heard).toEqual(["open"]);
    cancel();
    await expect.poll(() => replica.followers).toBe(0);
    expect(heard).toEqual(["open"]);
  });

  test("does not keep a connection that its peer wants to end from being told as lost", async () => {
    const replica = await startReplica();
    const lost = new Promise<void>((resolve) => {
      const client = clientOf(replica.address, resolve);
      const { heard } = follow(client);
      void expect
        .poll(() => heard)
        .toEqual(["open"])
        .then(() => replica.sendGoaway(60_000));
    });
    await lost;
    expect(replica.followers).toBe(1);
  });
});

describe("a peer that is no BuildKit", () => {
  test("a refused connection says so", async () => {
    const { server, address } = await startPeer(() => {});
    await new Promise((resolve) => server.close(resolve));
    const error = await failure(clientOf(address).info(5_000));
    expect(error.code).toBe(status.UNAVAILABLE);
    const { port } = address as { port: number };
    expect(failureText(error, 5_000)).toBe(`connect ECONNREFUSED 127.0.0.1:${port}`);
  });

  test.each([
    ["HTTP/1", (socket: Socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak HTTP/2"],
    ["nothing", (socket: Socket) => socket.end(), "it closes the connection before it speaks HTTP/2"],
  ])("one that answers with %s is said to", async (_name, onSocket, reason) => {
    const { address } = await startPeer(onSocket);
    expect(failureText(await failure(clientOf(address).info(5_000)), 5_000)).toBe(reason);
  });

  test("a socket that is not there is named", async () => {
    const error = await failure(clientOf({ t: "unix", path: "/nonexistent/buildkitd.sock" }).info(5_000));
    expect(failureText(error, 5_000)).toBe("connect ENOENT /nonexistent/buildkitd.sock");
  });

  test.each([
    ["says nothing", () => {}],
    ["sends SETTINGS and then nothing", (socket: Socket) => socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0))],
  ])("closing lets go of one that %s and never closes", async (_name, onSocket) => {
    const accepted: Socket[] = [];
    const { address } = await startPeer((socket) => {
      accepted.push(socket);
      onSocket(socket);
    });
    const client = clientOf(address);
    expect((await failure(client.info(100))).code).toBe(status.DEADLINE_EXCEEDED);
    client.close();
    const [socket] = accepted;
    socket!.resume();
    await once(socket!, "end");
    // Only a socket that is fully closed answers further bytes with a reset.
    const writeMore = () => {
      socket!.write("more");
      return socket!.errored;
    };
    await expect.poll(writeMore).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
  });
});
