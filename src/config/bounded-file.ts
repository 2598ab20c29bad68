import { closeSync, openSync, readSync } from "node:fs";

/**
 * Read a file, pipe or device, but at most `maxBytes` + 1 bytes of it: one more
 * than allowed tells the caller that it is too large. Throws Node's own errors.
 */
export function readBoundedFile(path: string, maxBytes: number): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const content = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (;;) {
      const readBytes = readSync(descriptor, content, length, content.length - length, null);
      length += readBytes;
      if (readBytes === 0 || length === content.length) return content.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}
