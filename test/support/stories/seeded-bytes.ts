import { createCipheriv, createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

const CHUNK_BYTES = 4 * 1024 * 1024;

/** Bytes that look random and do not compress, the same for the same seed (AES-128-CTR's key stream). */
export function* seededBytes(seed: string, totalBytes: number): Generator<Buffer> {
  const key = createHash("sha256").update(seed).digest().subarray(0, 16);
  const stream = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let left = totalBytes; left > 0; left -= CHUNK_BYTES) {
    yield stream.update(left < CHUNK_BYTES ? zeros.subarray(0, left) : zeros);
  }
}

/** Write such bytes to a file; returns their sha256 in hex. */
export async function writeSeededFile(path: string, seed: string, totalBytes: number): Promise<string> {
  const hash = createHash("sha256");
  const file: FileHandle = await open(path, "w");
  try {
    for (const chunk of seededBytes(seed, totalBytes)) {
      hash.update(chunk);
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}
