import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Answer } from "./load/parent.ts";
import { processTree } from "./process-cpu.ts";

/** How long a process may take to listen, to answer, or to end. */
const PATIENCE_MS = 30_000;
const TERM_GRACE_MS = 3_000;

/** Everything started and not yet ended, so that an abrupt end can still end it. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) for (const pid of processTree(child.pid)) kill(pid, "SIGKILL");
});

/** One of the benchmark's own processes, driven by questions and answers. */
export interface Worker<C> {
  readonly pid: number;
  ask<R>(command: C): Promise<R>;
  stop(): Promise<void>;
}

/** Start `load/<name>.ts` with the loader of this process. */
export function startWorker<C>(name: string): Worker<C> {
  const child = fork(fileURLToPath(new URL(`load/${name}.ts`, import.meta.url)), { stdio: ["ignore", 2, 2, "ipc"] });
  running.add(child);
  let lastId = 0;
  return {
    pid: child.pid!,
    async ask<R>(command: C): Promise<R> {
      const id = ++lastId;
      const { promise, settle } = answerTo<R>(child, id, `${name}: ${JSON.stringify(command)}`);
      child.send({ id, command });
      return settle(promise);
    },
    stop: () => end(child),
  };
}

/** A server under test. */
export interface Server {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Start a program and wait until it accepts connections on all of `ports`. Its output is shown if it fails to. */
export async function startServer(
  command: string,
  args: readonly string[],
  options: { readonly name: string; readonly ports: readonly number[]; readonly env?: NodeJS.ProcessEnv },
): Promise<Server> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } });
  running.add(child);
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4_096);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  let spawnError: Error | undefined;
  child.on("error", (cause) => {
    spawnError = cause;
    running.delete(child);
  });
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (const port of options.ports) {
    while (!(await accepts(port))) {
      if (spawnError) throw new Error(`${options.name} does not start`, { cause: spawnError });
      if (hasEnded(child) || performance.now() > deadlineMs) {
        await end(child);
        throw new Error(`${options.name} does not listen on port ${port}:\n${output.trim()}`);
      }
      await delay(20);
    }
  }
  return { pid: child.pid!, stop: () => end(child) };
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) {
    const tree = processTree(child.pid);
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const pid of tree) kill(pid, "SIGKILL");
    }, TERM_GRACE_MS);
    await exited;
    clearTimeout(timer);
  }
  running.delete(child);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code !== "ESRCH") throw reason;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function answerTo<R>(child: ChildProcess, id: number, what: string) {
  let stop = (): void => {};
  const promise = new Promise<R>((resolve, reject) => {
    const onMessage = (answer: Answer<R>): void => {
      if (answer.id !== id) return;
      if (answer.t === "ok") resolve(answer.result);
      else reject(new Error(answer.message));
    };
    const onExit = (): void => reject(new Error(`${what}: the process has ended`));
    const timer = setTimeout(() => reject(new Error(`${what}: no answer in ${PATIENCE_MS} ms`)), PATIENCE_MS);
    child.on("message", onMessage);
    child.on("exit", onExit);
    stop = () => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
  });
  return { promise, settle: (awaited: Promise<R>) => awaited.finally(stop) };
}
