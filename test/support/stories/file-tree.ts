import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { mustRun } from "../lab/command.ts";

/** A folder's files by path: mode, then link target or content's digest. Times and owners are left out. */
export type FileTree = Readonly<Record<string, string>>;

/** Read all of a folder. */
export async function readFileTree(folder: string): Promise<FileTree> {
  const tree: Record<string, string> = {};
  for (const entry of (await readdir(folder, { recursive: true })).sort()) {
    const path = join(folder, entry);
    const stat = await lstat(path);
    const mode = stat.mode.toString(8);
    if (stat.isSymbolicLink()) tree[entry] = `${mode} -> ${await readlink(path)}`;
    else if (stat.isFile()) tree[entry] = `${mode} ${await sha256OfFile(path)}`;
    else tree[entry] = mode;
  }
  return tree;
}

/** Read all of a tarball, which is unpacked into an empty folder. */
export async function readTarTree(tarball: string, emptyFolder: string): Promise<FileTree> {
  await mustRun("tar", ["-xpf", tarball, "-C", emptyFolder]);
  return await readFileTree(emptyFolder);
}

/** Hex digest of a file's content. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}
