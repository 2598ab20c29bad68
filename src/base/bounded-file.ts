import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { errorText } from "./system-error.ts";

/** Largest file of certificates or settings that is read. The bundle of a Debian system has 0.2 MiB. */
export const MAX_FILE_BYTES = 16 * 1_024 * 1_024;

/** A file's content, or why it is not to be had: `permission denied`. */
export type FileContent =
  | { readonly t: "read"; readonly bytes: Buffer }
  /** There is no such file. */
  | { readonly t: "absent" }
  | { readonly t: "unreadable"; readonly reason: string };

/** A pipe that nobody writes to would hold up the opening itself. */
const HOW = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Read a regular file of at most `maxBytes`, by default {@link MAX_FILE_BYTES}. Never rejects for what the file system says.
 *
 * A pipe or a device is refused: it might never end.
 */
export async function readBounded(path: string, maxBytes = MAX_FILE_BYTES): Promise<FileContent> {
  let handle: FileHandle;
  try {
    handle = await open(path, HOW);
  } catch (reason) {
    return describeFailure(reason);
  }
  try {
    const stats = await handle.stat();
    const fault = describeFault(stats, maxBytes);
    if (fault !== undefined) return { t: "unreadable", reason: fault };
    const bytes = Buffer.alloc(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { t: "read", bytes: bytes.subarray(0, length) };
  } catch (reason) {
    return describeFailure(reason);
  } finally {
    await handle.close();
  }
}

/**
 * Read a regular file of at most `maxBytes`, by default {@link MAX_FILE_BYTES}, at once, where a program starts or a
 * small file is read again. A pipe or a device is refused.
 *
 * Throws Node's own errors, and an Error that says what is wrong with the file.
 */
export function readBoundedNow(path: string, maxBytes = MAX_FILE_BYTES): Buffer {
  const descriptor = openSync(path, HOW);
  try {
    const stats = fstatSync(descriptor);
    const fault = describeFault(stats, maxBytes);
    if (fault !== undefined) throw new Error(fault);
    const bytes = Buffer.alloc(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const readBytes = readSync(descriptor, bytes, length, bytes.length - length, length);
      if (readBytes === 0) break;
      length += readBytes;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** Why a file's content is not to be had, for people. */
export function faultOf(content: Exclude<FileContent, { readonly t: "read" }>): string {
  return content.t === "absent" ? "no such file or directory" : content.reason;
}

function describeFault(stats: Stats, maxBytes: number): string | undefined {
  if (stats.isDirectory()) return "illegal operation on a directory";
  if (!stats.isFile()) return "not a regular file";
  return stats.size > maxBytes ? `${stats.size} bytes, more than ${maxBytes}` : undefined;
}

function describeFailure(reason: unknown): FileContent {
  if ((reason as NodeJS.ErrnoException).code === "ENOENT") return { t: "absent" };
  return { t: "unreadable", reason: errorText(reason) };
}
