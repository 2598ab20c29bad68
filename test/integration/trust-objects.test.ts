import { EventEmitter, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCommandLine } from "../../src/cli/run.ts";
import { ApiServerStandIn } from "../support/kubernetes/api-server.ts";
import { writeStandInFiles } from "../support/kubernetes/stand-in-access.ts";
import { TestAuthority } from "../support/lab/certificates.ts";

// Here and not among the unit tests, because an object is asked for again after ten seconds.
test("a bundle follows a ConfigMap, a broken one keeps the old, and SIGTERM ends it", async () => {
  const standIn = await ApiServerStandIn.start();
  onTestFinished(() => standIn.close());
  const files = await writeStandInFiles(standIn);
  onTestFinished(() => files.remove());
  const dir = mkdtempSync(join(tmpdir(), "objects-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const out = join(dir, "out.pem");
  const put = (pem: string) =>
    standIn.put("configmaps", { metadata: { name: "sonda-red", namespace: "buildkit" }, data: { "a.crt": pem } });
  const [one, two] = ["one", "two"].map((name) => new TestAuthority(name).cert) as [string, string];
  const [signals, said] = [new EventEmitter(), new EventEmitter()];
  const tell = (text: string) => void said.emit("text", text);
  const argv = ["trust", "build", "--out", out, "--kubeconfig", files.kubeconfig, "--watch"];
  const context = { env: {}, signals, print: tell, complain: tell };
  const after = async (change: () => unknown): Promise<unknown> => {
    const text = once(said, "text");
    change();
    return (await text)[0];
  };
  put(one);
  let ended: Promise<number> | undefined;
  const start = () => {
    ended = runCommandLine([...argv, "--source=configmap:buildkit/sonda-red/a.crt"], context);
  };
  expect(await after(start)).toBe(`${out}: written, 1 certificate\n`);
  expect(await after(() => put(two))).toBe(`${out}: written, 1 certificate\n`);
  const good = readFileSync(out, "utf8");
  expect(good).toContain(two);
  expect(await after(() => put("broken"))).toMatch(/^configmap:buildkit\/sonda-red\/a.crt: .*error: /);
  expect(readFileSync(out, "utf8")).toBe(good);
  signals.emit("SIGTERM");
  expect(await ended).toBe(0);
}, 120_000);
