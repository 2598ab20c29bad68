import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { AdminServer } from "../../../src/admin/admin-server.ts";
import type { AdminRoutes } from "../../../src/admin/routes.ts";
import type { Address } from "../../../src/base/address.ts";
import { silentLog } from "../../../src/base/log.ts";

/** An answer whose body has been read as JSON. */
export interface JsonAnswer {
  readonly status: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  readonly body: any;
}

/** Serve routes until the test ends, by default on a free port; returns the way to ask for JSON. */
export async function serveJson(routes: AdminRoutes, address: Address = { t: "tcp", host: "127.0.0.1", port: 0 }) {
  const server = new AdminServer({ routes, log: silentLog() });
  onTestFinished(() => server.close());
  const bound = await server.listen(address);
  const target = bound.t === "tcp" ? { host: bound.host, port: bound.port } : { socketPath: bound.path };
  const send = (path: string, method = "GET", headers: Record<string, string> = {}) =>
    httpRequest({ ...target, path, method, headers, agent: false }).end();
  const ask = async (...request: Parameters<typeof send>): Promise<JsonAnswer> => {
    const [response] = (await once(send(...request), "response")) as [IncomingMessage];
    return { status: response.statusCode, body: JSON.parse(await text(response)) };
  };
  return { bound, send, ask };
}
