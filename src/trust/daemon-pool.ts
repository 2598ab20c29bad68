import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../base/system-error.ts";
import type { DaemonRegistry } from "./daemon-registry.ts";
import { type RootPool, readPemPool } from "./go-root-pool.ts";

/** Most files of a folder that are read. */
const MAX_FOLDER_FILES = 5_000;

/**
 * What buildkitd trusts for one registry: the system's pool, and what the file adds to it.
 *
 * Of a `tlsconfigdir` it reads every `.crt` as authorities, and every `.cert` with its `.key` as a certificate of its own;
 * a folder that is not there, or not for it to read, it passes over without a word (moby/buildkit
 * util/resolver/resolver.go, loadTLSConfig). What it stumbles over is among the faults.
 */
export async function readDaemonPool({ caFiles, caDirs }: DaemonRegistry, system: RootPool): Promise<RootPool> {
  const files = [...caFiles];
  const origins = [...caFiles];
  const faults: string[] = [];
  for (const dir of caDirs) {
    try {
      const names = (await readdir(dir)).slice(0, MAX_FOLDER_FILES);
      files.push(...names.filter((name) => name.endsWith(".crt")).map((name) => join(dir, name)));
      const keyless = names.filter((name) => name.endsWith(".cert") && !names.includes(name.replace(/cert$/, "key")));
      faults.push(...keyless.map((name) => `${join(dir, name)}: no ${name.replace(/cert$/, "key")} beside it`));
      origins.push(dir);
    } catch (reason) {
      const { code } = reason as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "EACCES") origins.push(`${dir}, passed over: ${errorText(reason)}`);
      else faults.push(`${dir}: ${errorText(reason)}`);
    }
  }
  const own = await readPemPool(files, "");
  return {
    certificates: [...own.certificates, ...system.certificates],
    origin: [...origins, system.origin].join(", "),
    faults: [...faults, ...own.faults],
  };
}
