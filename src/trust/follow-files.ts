import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Cancel, Clock } from "../base/clock.ts";
import { followChanges } from "./follow-changes.ts";

/** How files are followed. */
export interface FollowOptions {
  /** Files and folders. They need not be there yet. */
  readonly paths: readonly string[];
  /** Time between two looks. Default 1,000. */
  readonly intervalMs?: number;
  readonly clock: Clock;
  /** Called after each change, and again only once it has resolved. Must not reject. */
  readonly onChange: () => Promise<void>;
}

const DEFAULT_INTERVAL_MS = 1_000;

/** Most entries of a folder that are looked at. */
const MAX_FOLDER_ENTRIES = 10_000;

/**
 * Watch files and folders for changes until stopped, from the moment when this resolves.
 *
 * By looking, not by the kernel's notices: those do not come from network file systems, and a mounted ConfigMap
 * changes by one rename of a link in a place that nobody has named. Links are followed to what they point to.
 */
export function followFiles({ paths, intervalMs, clock, onChange }: FollowOptions): Promise<Cancel> {
  const look = () => signatureOf(paths);
  return followChanges({ look, intervalMs: intervalMs ?? DEFAULT_INTERVAL_MS, clock, onChange });
}

async function signatureOf(paths: readonly string[]): Promise<string> {
  const signatures: string[] = [];
  for (const path of paths) {
    signatures.push(await signatureOfFile(path));
    const names = await readdir(path).catch(() => []);
    for (const name of names.sort().slice(0, MAX_FOLDER_ENTRIES)) {
      signatures.push(`${name} ${await signatureOfFile(join(path, name))}`);
    }
  }
  return signatures.join("\n");
}

async function signatureOfFile(path: string): Promise<string> {
  try {
    const target = await realpath(path);
    const { ino, size, mtimeNs, ctimeNs } = await stat(target, { bigint: true });
    return [target, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (reason) {
    return (reason as NodeJS.ErrnoException).code ?? "unreadable";
  }
}
