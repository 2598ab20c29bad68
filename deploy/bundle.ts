import { cp, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import manifest from "../package.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const OUT = fileURLToPath(new URL("../dist/bundle/", import.meta.url));

// The program with all its dependencies, as a package of its own that needs no node_modules.
await rm(OUT, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: ["src/main.ts"],
  outdir: OUT,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  // What is imported late stays in files of its own, and costs nothing until then.
  splitting: true,
  // Not minified, and so without source maps: a stack trace names our functions, and 1 MB is little beside Node's 120.
  minify: false,
  // Dependencies in CommonJS call `require` for Node's own modules, which an ES module does not have.
  banner: {
    js: 'import { createRequire as createRequireOfBundle } from "node:module"; const require = createRequireOfBundle(import.meta.url);',
  },
  metafile: true,
  logLevel: "warning",
});
await cp(`${ROOT}proto`, `${OUT}proto`, { recursive: true });
await cp(`${ROOT}src/admin/dashboard`, `${OUT}dashboard`, { recursive: true });
const { name, version, description, type } = manifest;
await writeFile(`${OUT}package.json`, `${JSON.stringify({ name, version, description, type }, null, 2)}\n`);

const files = Object.values(metafile.outputs);
const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
process.stdout.write(`dist/bundle: ${files.length} files of ${(bytes / 2 ** 20).toFixed(1)} MiB\n`);
