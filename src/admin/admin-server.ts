import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, ListenOptions, Socket } from "node:net";
import type { Address } from "../base/address.ts";
import type { Logger } from "../base/log.ts";
import { removeStaleSocket } from "../base/stale-socket.ts";
import { RouteTable } from "./route-table.ts";
import {
  type AdminRequest,
  type AdminRoute,
  type AdminRoutes,
  RequestFault,
  respondJson,
  respondText,
} from "./routes.ts";

/**
 * Bounds that no honest probe or browser meets. All of them end with the last
 * byte of a request: what is waited for may take hours. A client that vanished
 * meanwhile is noticed by TCP.
 */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  keepAlive: true,
  keepAliveInitialDelay: 30_000,
} as const;

const MAX_CONNECTIONS = 1_024;

/** Of one address, so that it keeps no probe and no preStop hook out: a build's steps may reach this port. */
const MAX_HOST_CONNECTIONS = 128;

/** An answer of which nothing has been taken for this long is given up, since it is held in memory. */
const UNREAD_TIMEOUT_MS = 30_000;

/** Nobody but the owner may read or write. */
const OWNER_ONLY_UMASK = 0o177;

/** What an admin server needs. */
export interface AdminServerOptions {
  readonly routes: AdminRoutes;
  readonly log: Logger;
  /** Longest time in which a client takes nothing of an answer that is complete. Default 30,000. */
  readonly unreadTimeoutMs?: number;
}

/** The HTTP/1.1 server of the admin port. */
export class AdminServer {
  readonly #server: Server;
  readonly #routes: RouteTable;
  readonly #log: Logger;
  readonly #unreadTimeoutMs: number;
  readonly #connections = new Map<string, number>();
  #isUnixSocket = false;

  constructor({ routes, log, unreadTimeoutMs = UNREAD_TIMEOUT_MS }: AdminServerOptions) {
    this.#unreadTimeoutMs = unreadTimeoutMs;
    this.#routes = new RouteTable(routes);
    this.#log = log;
    this.#server = createServer(LIMITS, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on("connection", (socket) => this.#count(socket));
  }

  /**
   * Start listening, once; resolves with the address taken, and rejects with
   * Node's error. A unix socket can be opened by this process's user alone.
   */
  async listen(address: Address): Promise<Address> {
    this.#isUnixSocket = address.t === "unix";
    if (address.t === "unix") await removeStaleSocket(address.path);
    return await new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      const listen = () =>
        this.#server.listen(listenOptions(address), () => {
          this.#server.off("error", reject);
          this.#server.on("error", (reason) => this.#log.warn({ err: reason }, "admin port failed"));
          const bound = this.#server.address();
          resolve(address.t === "tcp" ? { ...address, port: (bound as AddressInfo).port } : address);
        });
      if (this.#isUnixSocket) withUmask(OWNER_ONLY_UMASK, listen);
      else listen();
    });
  }

  /** Stop listening and cut what is open; resolves when the port is free. Closing twice does nothing. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #count(socket: Socket): void {
    const host = socket.remoteAddress;
    if (host === undefined) return;
    const others = this.#connections.get(host) ?? 0;
    this.#connections.set(host, others + 1);
    socket.once("close", () => {
      const left = this.#connections.get(host)! - 1;
      if (left > 0) this.#connections.set(host, left);
      else this.#connections.delete(host);
    });
    if (others >= MAX_HOST_CONNECTIONS) socket.destroy();
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", search = ""] = (message.url ?? "").split(/\?(.*)/s);
    const method = message.method ?? "";
    const found = this.#routes.find(path);
    if (!found) {
      respondText(response, 404, ["no such path; this port serves:", ...this.#routes.paths].join("\n"));
    } else if (!found.route.methods.includes(method)) {
      const allow = found.route.methods.join(", ");
      respondText(response, 405, `use ${allow}`, { allow });
    } else {
      const leaving = new AbortController();
      response.once("close", () => leaving.abort());
      const request: AdminRequest = {
        method,
        rest: found.rest,
        query: new URLSearchParams(search),
        authorization: message.headers.authorization,
        isFromOwner: this.#isUnixSocket,
        message,
        signal: leaving.signal,
      };
      await this.#handle(found.route, request, response, path);
      if (response.writableEnded && !response.writableFinished) response.setTimeout(this.#unreadTimeoutMs);
    }
  }

  async #handle(route: AdminRoute, request: AdminRequest, response: ServerResponse, path: string): Promise<void> {
    try {
      await route.handle(request, response);
    } catch (reason) {
      if (reason instanceof RequestFault && !response.headersSent) {
        respondJson(response, reason.status, { error: reason.message }, reason.headers);
        return;
      }
      // Not the query: what is asked about may hold credentials.
      this.#log.error({ err: reason, path }, "admin route failed");
      if (response.headersSent) response.destroy();
      else respondText(response, 500, "internal error, see the log");
    }
  }
}

/** An empty host is every address of the machine, IPv6 included where there is any. */
function listenOptions(address: Address): ListenOptions {
  if (address.t === "unix") return { path: address.path };
  return address.host === "" ? { port: address.port } : { host: address.host, port: address.port };
}

/** A socket's file is made while `listen` runs, so that nobody can open it before its mode is right. */
function withUmask(mask: number, action: () => void): void {
  const usual = process.umask(mask);
  try {
    action();
  } finally {
    process.umask(usual);
  }
}
