import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort, type Server, startServer } from "../child.ts";
import type { Target, TargetContext } from "./target.ts";

const MAIN = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));
const READY_PATIENCE_MS = 15_000;

/** This project, as built: one process for each way in, so that each has its own CPU time. */
export const gateway: Target = {
  name: "gateway",
  async start(context) {
    const { certPath, keyPath } = context.certificate;
    const withTls = ["--tls-cert", certPath, "--tls-key", keyPath];
    const started: Awaited<ReturnType<typeof startGateway>>[] = [];
    const stop = async (): Promise<void> => {
      await Promise.all(started.map((server) => server.stop()));
    };
    try {
      for (const flags of [[], withTls, [...withTls, "--tls-client-ca", certPath]]) {
        started.push(await startGateway(context, flags));
      }
    } catch (reason) {
      await stop();
      throw reason;
    }
    const [cleartext, tls, mtls] = started;
    return {
      version: `buildkit-gateway on Node ${process.version}`,
      cleartext: cleartext!,
      tls: tls!,
      mtls: mtls!,
      stop,
    };
  },
};

/** One process of it, with more flags; resolves once it takes builds. */
export async function startGateway(
  context: TargetContext,
  more: readonly string[],
): Promise<Server & { port: number; adminPort: number }> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const [command, ...args] = [
    ...context.commandPrefix,
    process.execPath,
    MAIN,
    "serve",
    ...["--listen", `tcp://127.0.0.1:${port}`],
    ...["--replica", `bench=tcp://127.0.0.1:${context.replica.plain}`],
    ...["--admin", `127.0.0.1:${adminPort}`],
    ...more,
  ];
  const server = await startServer(command!, args, { name: "gateway", ports: [port, adminPort] });
  try {
    await untilReady(adminPort);
  } catch (reason) {
    await server.stop();
    throw reason;
  }
  return { ...server, port, adminPort };
}

async function untilReady(adminPort: number): Promise<void> {
  const deadlineMs = performance.now() + READY_PATIENCE_MS;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
    const text = await response.text();
    if (response.ok) return;
    if (performance.now() > deadlineMs) throw new Error(`the gateway does not become ready: ${text.trim()}`);
    await delay(50);
  }
}
