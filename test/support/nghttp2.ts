import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readdir, readFile, readlink, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import type { HeaderField } from "../../src/http2/header-field.ts";
import { debianCodename, debianMirrors, openAptSuite, unpackPackages } from "./lab/apt-suite.ts";
import { mustRun, runCommand } from "./lab/command.ts";
import { withFileLock } from "./lab/file-lock.ts";
import { pollUntil } from "./lab/poll.ts";

const PACKAGES = ["nghttp2-client", "nghttp2-server"];
const LAB_DIR = join(import.meta.dirname, "../../.lab/nghttp2");

/** nghttp2's programs, or one line that says why they cannot be had. */
export type Nghttp2 =
  | { readonly t: "ready"; readonly env: NodeJS.ProcessEnv }
  | { readonly t: "unavailable"; readonly reason: string };

/**
 * Find nghttp and nghttpd on PATH, or fetch them from the machine's Debian
 * mirror, with the libraries that the machine lacks, into a folder of the
 * project. Nothing is installed. Where CI is set, not having them is an error.
 */
export async function bringNghttp2(): Promise<Nghttp2> {
  try {
    const env = (await isRunnable(process.env)) ? process.env : await fetchedEnv();
    await Promise.all(["nghttp", "nghttpd"].map((file) => mustRun(file, ["--version"], { env })));
    return { t: "ready", env };
  } catch (reason) {
    if (process.env.CI) throw reason;
    const why = reason instanceof Error ? reason.message.split("\n")[0] : String(reason);
    return { t: "unavailable", reason: `no ${PACKAGES.join(" and ")}: ${why}` };
  }
}

async function isRunnable(env: NodeJS.ProcessEnv): Promise<boolean> {
  const runs = ["nghttp", "nghttpd"].map((file) => mustRun(file, ["--version"], { env }));
  return (await Promise.allSettled(runs)).every(({ status }) => status === "fulfilled");
}

async function fetchedEnv(): Promise<NodeJS.ProcessEnv> {
  const codename = await debianCodename();
  if (codename === undefined) throw new Error("this is not Debian: install nghttp2's programs");
  const home = join(LAB_DIR, `${codename}-${process.arch}`);
  await mkdir(LAB_DIR, { recursive: true });
  await withFileLock(`${home}.lock`, async () => {
    const isThere = await access(home).then(
      () => true,
      () => false,
    );
    if (!isThere) await fetchPackages(codename, home);
  });
  const roots = (await readdir(home)).map((name) => join(home, name));
  const libraryDirs = await Promise.all(
    roots.flatMap((root) => [join(root, "usr/lib"), join(root, "lib")]).map(subfolders),
  );
  return {
    ...process.env,
    PATH: [...roots.flatMap((root) => [join(root, "usr/bin"), join(root, "usr/sbin")]), process.env.PATH].join(
      delimiter,
    ),
    LD_LIBRARY_PATH: libraryDirs.flat().join(delimiter),
  };
}

async function fetchPackages(codename: string, home: string): Promise<void> {
  const [mirror] = await debianMirrors(codename);
  if (mirror === undefined) throw new Error("no Debian mirror in apt's configuration");
  const scratch = `${home}-${process.pid}`;
  try {
    const suite = await openAptSuite(mirror, codename, join(scratch, "suite"));
    // The suite takes the machine for empty; what it has needs no fetching.
    const uris = await mustRun("apt-get", [
      ...[
        "-c",
        join(suite.dir, "apt.conf"),
        "-o",
        "Dir::State::status=/var/lib/dpkg/status",
        "-o",
        "Debug::NoLocking=1",
      ],
      ...["install", "--yes", "--no-install-recommends", "--print-uris", ...PACKAGES],
    ]);
    const names = [...uris.matchAll(/^'.*' ([^_]+)_/gm)].map(([, name]) => name!);
    await unpackPackages(suite, names, join(scratch, "packages"));
    await rename(join(scratch, "packages"), home);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A library directory and the one of the machine's architecture below it, where they exist. */
async function subfolders(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return [dir, ...entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name))];
}

/** Run nghttp to its end, verbosely; returns what it printed. Throws when it fails. */
export async function runNghttp(env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand("nghttp", ["-nv", ...args], { env, timeoutMs: 20_000 });
  if (exitCode === 0 && stderr === "") return stdout;
  throw new Error(`nghttp: exit status ${exitCode}\n${stderr}\n${stdout.slice(-4_000)}`);
}

/** A running nghttpd. Whoever started it stops it. */
export class Nghttpd {
  readonly port: number;
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  #output = "";

  private constructor(child: ChildProcessByStdio<null, Readable, null>, port: number) {
    this.#child = child;
    this.port = port;
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      this.#output += text;
    });
  }

  /** Start nghttpd verbosely on a free port of the loopback interface, without TLS, serving the files of `dir`. */
  static async start(env: NodeJS.ProcessEnv, dir: string, args: readonly string[] = []): Promise<Nghttpd> {
    const child = spawn("nghttpd", ["-v", "--no-tls", "-a", "127.0.0.1", "-d", dir, ...args, "0"], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(child, "spawn");
    try {
      return new Nghttpd(child, await pollUntil("nghttpd listens", () => listeningPort(child.pid!)));
    } catch (reason) {
      child.kill("SIGKILL");
      throw reason;
    }
  }

  /** All that it has printed, once that includes `text`; one character per octet. */
  async printed(text: string): Promise<string> {
    while (!this.#output.includes(text)) {
      if (this.#child.exitCode !== null) throw new Error(`nghttpd ended:\n${this.#output.slice(-4_000)}`);
      await Promise.race([once(this.#child.stdout, "data"), once(this.#child, "exit")]);
    }
    return this.#output;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

/** The port that a process listens on: given port 0, nghttpd does not print which one it got (proc(5), /proc/net/tcp). */
async function listeningPort(pid: number): Promise<number | undefined> {
  const files = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => "")));
  const sockets = new Set(targets.map((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const lines = (await readFile(`/proc/${pid}/net/tcp`, "utf8")).split("\n").slice(1);
  for (const columns of lines.map((line) => line.trim().split(/\s+/))) {
    const [, local = "", , state] = columns;
    if (state === "0A" && sockets.has(columns[9])) return Number.parseInt(local.split(":")[1]!, 16);
  }
  return undefined;
}

/** The header lists that nghttp or nghttpd printed as received, in their order, by stream; trailers follow their headers. */
export function receivedHeaders(output: string): Map<number, HeaderField[]> {
  const lists = new Map<number, HeaderField[]>();
  for (const line of output.split("\n")) {
    const match = /\] recv \(stream_id=(\d+)(, sensitive)?\) (:?[^:]*): (.*)$/.exec(line);
    if (!match) continue;
    const [, stream, sensitive, name = "", value = ""] = match;
    const list = lists.get(Number(stream)) ?? [];
    lists.set(Number(stream), list);
    list.push({ name, value, isSensitive: sensitive !== undefined });
  }
  return lists;
}

/** The header lists that nghttp or nghttpd printed as sent, in their order; it does not print which are sensitive. */
export function sentHeaders(output: string): (readonly [name: string, value: string])[][] {
  return output
    .split(/^(?=\[)/m)
    .filter((entry) => entry.includes("] send HEADERS frame "))
    .map((entry) =>
      [...entry.matchAll(/^ {10}(:?[^\s:;(][^:]*): (.*)$/gm)].map(
        ([, name = "", value = ""]) => [name, value] as const,
      ),
    );
}
