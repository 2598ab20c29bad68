import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readQuery } from "./query.ts";
import type { AdminRoute, AdminRoutes } from "./routes.ts";

/** The page's own files, beside this one: also in what is built and bundled. */
const FOLDER = new URL("./dashboard/", import.meta.url);

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/": ["page.html", "text/html"],
  "/dashboard/page.css": ["page.css", "text/css"],
  "/dashboard/page.js": ["page.js", "text/javascript"],
  "/dashboard/elements.js": ["elements.js", "text/javascript"],
  "/dashboard/charts.js": ["charts.js", "text/javascript"],
  "/dashboard/replicas.js": ["replicas.js", "text/javascript"],
  "/dashboard/moves.js": ["moves.js", "text/javascript"],
};

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  // Another version of the gateway has another page.
  "cache-control": "no-cache",
};

/** `GET /`: the dashboard, which lives on `/events`. Its files are read once, at the start. */
export function dashboardRoutes(): AdminRoutes {
  return Object.fromEntries(Object.entries(FILES).map(([path, [file, type]]) => [path, fileRoute(file, type)]));
}

function fileRoute(file: string, type: string): AdminRoute {
  const content = readFileSync(new URL(file, FOLDER));
  const headers = {
    ...HEADERS,
    "content-type": `${type}; charset=utf-8`,
    "content-length": content.length,
    etag: `"${createHash("sha256").update(content).digest("hex").slice(0, 32)}"`,
  };
  return {
    methods: ["GET", "HEAD"],
    handle: ({ query, message }, response) => {
      readQuery(query, []);
      if (message.headers["if-none-match"] === headers.etag) response.writeHead(304, HEADERS).end();
      else response.writeHead(200, headers).end(content);
    },
  };
}
