import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { askAdmin } from "../../../src/cli/admin-client.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const QUESTION = { method: "GET", path: "/load", timeoutMs: 10_000 };

/** A server that says what it likes. */
async function serve(answer: Parameters<typeof createServer>[1]) {
  const server = createServer(answer as never).listen(0, "127.0.0.1");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, address: { t: "tcp", host: "127.0.0.1", port } as const };
}

test("an answer is its status and its JSON, and no timer is left", async () => {
  const { address } = await serve((request, response) =>
    response.writeHead(408).end(JSON.stringify([request.method, request.url, request.headers.authorization])),
  );
  const clock = new FakeClock();
  const answer = await askAdmin(address, { ...QUESTION, token: "secret" }, clock);
  expect(answer).toEqual({ status: 408, body: ["GET", "/load", "Bearer secret"] });
  expect(clock.delaysMs).toEqual([]);
});

test("a server that says nothing is not waited for", async () => {
  const { server, address } = await serve(() => {});
  const clock = new FakeClock();
  const asked = once(server, "request");
  const answer = askAdmin(address, QUESTION, clock);
  await asked;
  clock.advance(10_000);
  await expect(answer).rejects.toThrow("no answer within 10s");
});

test("a server that stops in the middle is not waited for", async () => {
  const { server, address } = await serve((_request, response) => response.writeHead(200).write('{"queued":'));
  const clock = new FakeClock();
  const asked = once(server, "request");
  const answer = askAdmin(address, QUESTION, clock);
  await asked;
  clock.advance(10_000);
  await expect(answer).rejects.toThrow("no answer within 10s");
});

test("a server that cuts the connection is an error", async () => {
  const { address } = await serve((request) => request.socket.destroy());
  await expect(askAdmin(address, QUESTION, new FakeClock())).rejects.toThrow();
});

test("a socket that is not there is named in the system's words", async () => {
  const address = { t: "unix", path: "/nonexistent/admin.sock" } as const;
  await expect(askAdmin(address, QUESTION, new FakeClock())).rejects.toThrow("no such file or directory");
});
