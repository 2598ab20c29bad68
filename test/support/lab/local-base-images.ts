import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { mustRun } from "./command.ts";
import { writeOciLayout } from "./oci-layout.ts";

/** What the images of this machine's programs are made from, and where they go. */
export interface LocalBaseImages {
  /** An empty folder. */
  readonly folder: string;
  /** A static one. */
  readonly busybox: string;
  /** Files that have to be in an image with npm under the same path, such as a bundle of authorities. */
  readonly files: readonly string[];
}

const PATH = "/usr/local/bin:/usr/bin:/bin";

/** Names a file of authorities that Node trusts besides its own (nodejs.org, command-line API). */
const EXTRA_AUTHORITIES = "NODE_EXTRA_CA_CERTS";

/** Node needs it since 25. */
const LIBATOMIC = "libatomic.so.1";

/** Programs of busybox that builds call by name. */
const APPLETS = ["sh", "chmod", "env"];

/**
 * Make two images that stand in for those of a registry: `node` with this machine's node, npm and a shell, and `debian`
 * with a shell and the libraries that node needs, but without node. Returns what a build names them by.
 */
export async function makeLocalBaseImages({ folder, busybox, files }: LocalBaseImages) {
  const libraries = await librariesOf(process.execPath);
  const images = { node: join(folder, "node-files"), debian: join(folder, "debian-files") };
  for (const image of Object.values(images)) {
    for (const dir of ["etc", "root", "tmp"]) await mkdir(join(image, dir), { recursive: true });
    // As in Debian and its images.
    for (const dir of ["bin", "lib", "lib64"]) {
      await mkdir(join(image, "usr", dir), { recursive: true });
      await symlink(join("usr", dir), join(image, dir));
    }
    await copyFile(busybox, join(image, "bin/busybox"));
    for (const applet of APPLETS) await symlink("busybox", join(image, "bin", applet));
    await writeFile(join(image, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
    // Debian's smallest image has all that Node needs but this.
    const lacking = image === images.debian ? LIBATOMIC : undefined;
    for (const library of libraries) if (basename(library) !== lacking) await copyInto(image, library);
  }
  const { node } = images;
  await mkdir(join(node, "usr/local/bin"), { recursive: true });
  await copyFile(await realpath(process.execPath), join(node, "usr/local/bin/node"));
  const npm = await npmFolder();
  await cp(npm, join(node, "usr/local/lib/node_modules/npm"), { recursive: true });
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(node, "usr/local/bin/npm"));
  const extra = process.env[EXTRA_AUTHORITIES];
  for (const file of extra ? [...files, extra] : files) await copyInto(node, file);
  const write = (name: string, rootfs: string, env: readonly string[]) =>
    writeOciLayout(join(folder, name), { rootfs, architectures: ["amd64", "arm64"], env: [`PATH=${PATH}`, ...env] });
  return {
    node: await write("node", node, extra ? [`${EXTRA_AUTHORITIES}=${extra}`] : []),
    debian: await write("debian", images.debian, []),
  };
}

/** The shared libraries of a program and its loader, by the paths under which they are looked for. */
async function librariesOf(program: string): Promise<string[]> {
  const paths = (await mustRun("ldd", [program])).matchAll(/(\/\S+) \(0x/g);
  return [...paths].map(([, path]) => path!);
}

/** Where this machine's npm is: the package that the `npm` on the PATH belongs to. */
async function npmFolder(): Promise<string> {
  const script = (await mustRun("sh", ["-c", "command -v npm"])).trim();
  return dirname(dirname(await realpath(script)));
}

async function copyInto(image: string, path: string): Promise<void> {
  const target = join(image, path);
  if (existsSync(target)) return;
  await mkdir(dirname(target), { recursive: true });
  const source = await realpath(path);
  if (basename(source) === basename(path)) await copyFile(source, target);
  else await symlink(basename(source), target).then(() => copyFile(source, join(dirname(target), basename(source))));
}
