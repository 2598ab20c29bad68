import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { dashboardRoutes } from "../../../src/admin/dashboard-route.ts";
import { serveJson } from "./admin-rig.ts";

test("the page and all that it names are served, and name nothing elsewhere", async () => {
  const { send } = await serveJson(dashboardRoutes());
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const [response] = (await once(send(path, "GET", headers), "response")) as [IncomingMessage];
    return { status: response.statusCode, headers: response.headers, body: await text(response) };
  };
  const page = await ask("/");
  expect(page.status).toBe(200);
  expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(page.body).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=/);
  const named = [...page.body.matchAll(/(?:src|href)="([^"#]+)"/g)]
    .map(([, name]) => name!)
    .filter((name) => name !== "data:,");
  const scripts = ["/dashboard/elements.js", "/dashboard/charts.js", "/dashboard/replicas.js", "/dashboard/moves.js"];
  for (const path of [...named.map((name) => `/${name}`).filter((name) => name !== "/status"), ...scripts]) {
    const { status, body } = await ask(path);
    expect(status, path).toBe(200);
    expect(body.replaceAll("http://www.w3.org/2000/svg", "").replaceAll("/^https:", "")).not.toMatch(/https?:\/\//);
    expect(body).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  }
  const { etag } = page.headers;
  expect((await ask("/", { "if-none-match": etag! })).status).toBe(304);
});
