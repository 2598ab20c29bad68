import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A container whose root cannot be written to still has this (Kubernetes: `readOnlyRootFilesystem`). */
const SHARED_MEMORY = "/dev/shm";

/** A new folder that only this user can look into. Throws Node's error where none can be made. */
export function makePrivateFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), "bkgw-"));
  } catch (reason) {
    if (!["EROFS", "EACCES", "ENOENT"].includes((reason as NodeJS.ErrnoException).code ?? "")) throw reason;
    return mkdtempSync(join(SHARED_MEMORY, "bkgw-"));
  }
}

/** Remove it with what is in it; one that is not there any more is as well. */
export function removePrivateFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
