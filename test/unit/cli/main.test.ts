import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url));

/** Run the program as a process of its own, with nothing in its environment. */
function runProgram(argv: readonly string[]): Promise<{ status: unknown; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", MAIN, ...argv], { env: {} }, (failure, out, err) => {
      resolve({ status: failure?.code ?? 0, out, err });
    });
  });
}

test("a wrong command line is one line on standard error and exit status 2", async () => {
  expect(await runProgram(["serve"])).toEqual({
    status: 2,
    out: "",
    err: "buildkit-gateway: no replica given: use --replica tcp://host:port, --replicas-dns name:port, --replicas-service name or --config gateway.yaml\n",
  });
}, 30_000);

test("help is on standard output, with exit status 0", async () => {
  const { status, out, err } = await runProgram(["serve", "--help"]);
  expect({ status, err }).toEqual({ status: 0, err: "" });
  expect(out).toContain("Usage: buildkit-gateway serve ");
}, 30_000);
