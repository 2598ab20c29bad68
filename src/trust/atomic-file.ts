import { randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readBounded } from "../base/bounded-file.ts";

/** What a file is to be. */
export interface FileTarget {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** Absent: whoever this program runs as. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Give a file this content, mode and owner, if it differs in one of them; resolves with whether it did.
 *
 * A reader sees the old file or the new one, never a part: the new one is written beside it, brought to
 * the disk and renamed into place. A path that is a link keeps being one, and what it points to is replaced.
 * Throws Node's own errors, and one for what is no regular file; then all is as it was.
 */
export async function writeIfChanged(target: FileTarget, content: Buffer): Promise<boolean> {
  const path = await placeOf(target.path);
  const stats = await lstat(path).catch(() => undefined);
  // As root, /dev/null could be renamed over.
  if (stats && !stats.isFile()) throw new Error("not a regular file");
  if (stats && (await isAsWanted(path, stats, target, content))) return false;
  const temporary = join(dirname(path), `.buildkit-gateway-${randomBytes(6).toString("hex")}`);
  let handle: FileHandle | undefined;
  try {
    handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    await handle.writeFile(content);
    if (target.owner) await handle.chown(target.owner.uid, target.owner.gid);
    // After the owner, which may take bits away; and past the umask.
    await handle.chmod(target.mode);
    await handle.sync();
    await handle.close();
    handle = undefined;
    await rename(temporary, path);
  } catch (reason) {
    await handle?.close();
    await rm(temporary, { force: true });
    throw reason;
  }
  return true;
}

/** Where a path leads to, also by links to a file that is not there yet. Throws ELOOP where that is nowhere. */
async function placeOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (reason) {
    if ((reason as NodeJS.ErrnoException).code !== "ENOENT") throw reason;
  }
  const target = await readlink(path).catch(() => undefined);
  return target === undefined ? path : await placeOf(resolve(await realpath(dirname(path)), target));
}

async function isAsWanted(path: string, stats: Stats, target: FileTarget, content: Buffer): Promise<boolean> {
  if ((stats.mode & 0o7777) !== target.mode || stats.size !== content.length) return false;
  const { owner } = target;
  if (owner && (stats.uid !== owner.uid || stats.gid !== owner.gid)) return false;
  const present = await readBounded(path, content.length);
  return present.t === "read" && present.bytes.equals(content);
}
