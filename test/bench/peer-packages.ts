import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Git ignores it; it stays from run to run, so that packages are downloaded once. */
const LAB = fileURLToPath(new URL("../../.lab", import.meta.url));

/** Debian packages with the programs that the benchmarks compare with or need. */
const PACKAGES = ["nginx", "libnginx-mod-stream", "haproxy", "openssl"];

/** Named by what it holds, so that a longer list is fetched anew. */
const UNPACKED = path.join(LAB, `peers-${PACKAGES.join("+")}`);

/** Where Debian puts programs. */
const PROGRAM_FOLDERS = ["/usr/sbin", "/usr/bin"];

/** A program and the environment that it needs to find its libraries. */
export interface Program {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Find a program of {@link PACKAGES}: the system's own, else one unpacked from
 * Debian's packages into a folder of the project. Nothing is installed, so no
 * service starts and nothing is left behind in the system.
 */
export function findProgram(name: string): Program {
  const installed = PROGRAM_FOLDERS.map((folder) => path.join(folder, name)).find(existsSync);
  if (installed) return { path: installed, env: {} };
  if (!existsSync(UNPACKED)) unpackPackages();
  const unpacked = PROGRAM_FOLDERS.map((folder) => path.join(UNPACKED, folder, name)).find(existsSync);
  if (!unpacked) throw new Error(`no program ${name} in ${UNPACKED}: remove that folder to have it filled again`);
  const libraries = path.join(UNPACKED, "usr/lib");
  const folders = readdirSync(libraries).filter((entry) => entry.endsWith("-linux-gnu"));
  const searched = [...folders.map((folder) => path.join(libraries, folder)), libraries];
  return { path: unpacked, env: { LD_LIBRARY_PATH: searched.join(":") } };
}

/** A dynamic module of an nginx that {@link findProgram} has found; undefined where that brings it built in. */
export function findNginxModule(nginx: Program, file: string): string | undefined {
  return [path.resolve(path.dirname(nginx.path), "../lib/nginx/modules", file)].find(existsSync);
}

/** Download the packages and what they depend on and the system lacks, and unpack them without installing. */
function unpackPackages(): void {
  mkdirSync(LAB, { recursive: true });
  const folder = mkdtempSync(path.join(LAB, "bench-peers-"));
  try {
    const debs = path.join(folder, "debs");
    mkdirSync(debs);
    try {
      run(debs, "apt-get", ["download", ...missingPackages()]);
    } catch {
      // The lists are missing or older than the mirror.
      run(debs, "apt-get", ["update"]);
      run(debs, "apt-get", ["download", ...missingPackages()]);
    }
    for (const deb of readdirSync(debs)) run(debs, "dpkg", ["-x", deb, folder]);
    rmSync(debs, { recursive: true });
    renameSync(folder, UNPACKED);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What apt would install, as `name=version`. */
function missingPackages(): string[] {
  const plan = run(LAB, "apt-get", ["install", "--simulate", "--no-install-recommends", ...PACKAGES]);
  return [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm)].map(([, name, version]) => `${name}=${version}`);
}

function run(cwd: string, command: string, args: readonly string[]): string {
  const env = { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" };
  return execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
