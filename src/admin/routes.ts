import type { IncomingMessage, ServerResponse } from "node:http";

/** What a route sees of a request. */
export interface AdminRequest {
  readonly method: string;
  /** What the path has in place of a route's `<…>`, decoded; empty for an exact path. */
  readonly rest: string;
  readonly query: URLSearchParams;
  /** The Authorization header. */
  readonly authorization: string | undefined;
  /** It came over a unix socket, which only the gateway's own user can open. */
  readonly isFromOwner: boolean;
  /** The request itself, for what hands it on. */
  readonly message: IncomingMessage;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** One thing that the admin port serves. */
export interface AdminRoute {
  /** Methods that it takes; any other is answered with 405. */
  readonly methods: readonly string[];
  /**
   * Answer a request. A {@link RequestFault} that it throws becomes its status;
   * anything else a 500, or a cut connection once it has begun to answer.
   */
  handle(request: AdminRequest, response: ServerResponse): void | Promise<void>;
}

/** Routes by path: an exact one, or one that ends in `/<what>` for everything below it, which is not empty. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

/** A request that cannot be answered as asked. The message is for people, and holds no secret. */
export class RequestFault extends Error {
  /** The HTTP status. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "RequestFault";
    this.status = status;
    this.headers = headers;
  }
}

/** Answer with a short text; a HEAD request gets its headers only. */
export function respondText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  respond(response, status, text, { "content-type": "text/plain; charset=utf-8", ...headers });
}

/** Answer with a value as JSON; a HEAD request gets its headers only. */
export function respondJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  respond(response, status, JSON.stringify(body), { "content-type": "application/json", ...headers });
}

function respond(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
