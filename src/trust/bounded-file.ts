import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { getSystemErrorMap } from "node:util";

/** Largest file of certificates or settings that is read. The bundle of a Debian system has 0.2 MiB. */
export const MAX_FILE_BYTES = 16 * 1_024 * 1_024;

/** A file's content, or why it is not to be had: `no such file or directory`. */
export type FileContent =
  | { readonly t: "read"; readonly bytes: Buffer }
  | { readonly t: "absent" }
  | { readonly t: "unreadable"; readonly reason: string };

/**
 * Read a regular file of at most `maxBytes`, by default {@link MAX_FILE_BYTES}. Never throws for what the file system says.
 *
 * A pipe or a device is refused: it might never end.
 */
export async function readBounded(path: string, maxBytes = MAX_FILE_BYTES): Promise<FileContent> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    // A pipe that nobody writes to would hold up the opening itself.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (reason) {
    return isAbsent(reason) ? { t: "absent" } : { t: "unreadable", reason: errorText(reason) };
  }
  try {
    const { size, isFile } = await handle.stat().then((stats) => ({ size: stats.size, isFile: stats.isFile() }));
    if (!isFile) return { t: "unreadable", reason: "not a regular file" };
    if (size > maxBytes) return { t: "unreadable", reason: `${size} bytes, more than ${maxBytes}` };
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < size) {
      const { bytesRead } = await handle.read(bytes, length, size - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { t: "read", bytes: bytes.subarray(0, length) };
  } catch (reason) {
    return { t: "unreadable", reason: errorText(reason) };
  } finally {
    await handle.close();
  }
}

/** The operating system's words for an error of a file operation. */
export function errorText(reason: unknown): string {
  const { errno, message } = reason as NodeJS.ErrnoException;
  return (errno !== undefined && getSystemErrorMap().get(errno)?.[1]) || message;
}

/** Whether a file operation failed because there is no such file. */
export function isAbsent(reason: unknown): boolean {
  return (reason as NodeJS.ErrnoException).code === "ENOENT";
}
