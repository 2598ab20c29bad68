import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AdminToken } from "../../../src/admin/admin-token.ts";
import { logRoute } from "../../../src/admin/log-route.ts";
import { serveJson } from "./admin-rig.ts";

test("the level is told to everybody, and changed by who has the token", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bkg-log-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const token = "0123456789abcdef";
  writeFileSync(join(folder, "token"), token);
  let level = "info";
  const log = {
    level: () => level,
    setLevel: (next: string) => {
      level = next;
    },
  };
  const { ask } = await serveJson(logRoute(log, new AdminToken(join(folder, "token"))));
  expect(await ask("/log")).toEqual({ status: 200, body: { level: "info" } });
  expect((await ask("/log?level=debug", "PUT")).status).toBe(401);
  const authorization = `Bearer ${token}`;
  expect((await ask("/log?level=loud", "PUT", { authorization })).status).toBe(400);
  expect((await ask("/log", "PUT", { authorization })).status).toBe(400);
  expect(await ask("/log?level=debug", "PUT", { authorization })).toEqual({ status: 200, body: { level: "debug" } });
  expect(level).toBe("debug");
});
