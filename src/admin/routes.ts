import type { IncomingMessage, ServerResponse } from "node:http";

/** One thing that the admin port serves. */
export interface AdminRoute {
  /** Methods that it takes; any other is answered with 405. */
  readonly methods: readonly string[];
  /** Answer a request. What it throws becomes a 500, or a cut connection once it has begun to answer. */
  handle(request: IncomingMessage, response: ServerResponse): void | Promise<void>;
}

/** Routes by exact path. */
export type AdminRoutes = Readonly<Record<string, AdminRoute>>;

/** Answer with a short text; a HEAD request gets its headers only. */
export function respondText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
