import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Where the program's own files lie, `package.json` and `proto/`: the folder of the package that this file belongs to,
 * by Node's rule (nodejs.org, packages, "Determining module system": the nearest `package.json` above it).
 *
 * So it holds for `src`, for `dist`, and for the bundle of the image, whose folder is a package of its own.
 */
export const PROGRAM_FOLDER: string = nearestPackage(dirname(fileURLToPath(import.meta.url)));

function nearestPackage(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error("no package.json above the program: it was copied without its own files");
  return nearestPackage(above);
}
