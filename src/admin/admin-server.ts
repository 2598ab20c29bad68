import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, ListenOptions } from "node:net";
import type { Address } from "../base/address.ts";
import type { Logger } from "../base/log.ts";
import { type AdminRoutes, respondText } from "./routes.ts";

/** Bounds that no honest probe or browser meets. */
const LIMITS = {
  maxHeaderSize: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;

const MAX_CONNECTIONS = 256;

/** What an admin server needs. */
export interface AdminServerOptions {
  readonly routes: AdminRoutes;
  readonly log: Logger;
}

/** The HTTP/1.1 server of the admin port: routes by exact path, nothing else. */
export class AdminServer {
  readonly #server: Server;
  readonly #routes: ReadonlyMap<string, AdminRoutes[string]>;
  readonly #log: Logger;

  constructor({ routes, log }: AdminServerOptions) {
    this.#routes = new Map(Object.entries(routes));
    this.#log = log;
    this.#server = createServer(LIMITS, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Start listening, once; resolves with the address taken, and rejects with Node's error. */
  listen(address: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(listenOptions(address), () => {
        this.#server.off("error", reject);
        this.#server.on("error", (reason) => this.#log.warn({ err: reason }, "admin port failed"));
        const bound = this.#server.address();
        resolve(address.t === "tcp" ? { ...address, port: (bound as AddressInfo).port } : address);
      });
    });
  }

  /** Stop listening and cut what is open; resolves when the port is free. Closing twice does nothing. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?", 1)[0] ?? "";
    const route = this.#routes.get(path);
    if (!route) {
      respondText(response, 404, ["no such path; this port serves:", ...this.#routes.keys()].join("\n"));
    } else if (!route.methods.includes(request.method ?? "")) {
      const allow = route.methods.join(", ");
      respondText(response, 405, `use ${allow}`, { allow });
    } else {
      await this.#handle(route, request, response);
    }
  }

  async #handle(route: AdminRoutes[string], request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await route.handle(request, response);
    } catch (reason) {
      this.#log.error({ err: reason, path: request.url }, "admin route failed");
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
