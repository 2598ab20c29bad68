import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun } from "./command.ts";

/** A Debian suite that is read with a configuration of its own: the machine's lists and packages are not touched. */
export interface AptSuite {
  readonly name: string;
  /** Holds apt.conf, the lists and the downloads. Belongs to whoever opened the suite. */
  readonly dir: string;
}

/** A package, unpacked. */
export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** The folder that stands for `/`. */
  readonly root: string;
}

const DEBIAN_KEYRINGS = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"].map(
  (file) => `/usr/share/keyrings/${file}`,
);

/** The codename of the running Debian, or undefined where this is not Debian. */
export async function debianCodename(): Promise<string | undefined> {
  const osRelease = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(osRelease)?.[1];
  return field("ID") === "debian" ? field("VERSION_CODENAME") : undefined;
}

/**
 * The archives that this machine's apt is set up with and that may hold all of Debian's suites.
 *
 * Read from `apt-get indextargets`, which answers before the first `apt-get update` too.
 */
export async function debianMirrors(codename: string): Promise<string[]> {
  const format = "$(RELEASE) $(COMPONENT) $(REPO_URI)";
  const targets = await mustRun("apt-get", ["indextargets", "--no-release-info", "--format", format]);
  const suites = new Set([codename, "stable", "oldstable", "testing", "unstable", "sid"]);
  const mirrors = targets
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([release, component, uri]) => suites.has(release ?? "") && component === "main" && uri)
    .map(([, , uri]) => uri!);
  return [...new Set(mirrors)];
}

/** Read a suite's lists from `mirror`. Throws when they cannot be had or are not signed by Debian. */
export async function openAptSuite(mirror: string, name: string, dir: string): Promise<AptSuite> {
  for (const folder of ["state", "lists/partial", "cache/archives/partial"]) {
    await mkdir(join(dir, folder), { recursive: true });
  }
  const present = await Promise.all(
    DEBIAN_KEYRINGS.map((file) =>
      stat(file).then(
        () => file,
        () => undefined,
      ),
    ),
  );
  const keyring = present.find((file) => file !== undefined);
  await writeFile(join(dir, "sources.list"), `deb ${keyring ? `[signed-by=${keyring}] ` : ""}${mirror} ${name} main\n`);
  await writeFile(
    join(dir, "apt.conf"),
    [
      "#clear APT::Update::Post-Invoke;",
      "#clear APT::Update::Post-Invoke-Success;",
      `Dir::Etc::sourcelist "${join(dir, "sources.list")}";`,
      'Dir::Etc::sourceparts "-";',
      `Dir::State "${join(dir, "state")}";`,
      `Dir::State::lists "${join(dir, "lists")}";`,
      'Dir::State::status "/dev/null";',
      `Dir::Cache "${join(dir, "cache")}";`,
      'APT::Sandbox::User "root";',
      'APT::Update::Error-Mode "any";',
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      'Acquire::http::Timeout "20";',
      "",
    ].join("\n"),
  );
  await mustRun("apt-get", ["-c", join(dir, "apt.conf"), "-q", "update"], { timeoutMs: 240_000 });
  return { name, dir };
}

/**
 * Download packages of a suite and unpack each under `into`, in a folder `<name>_<version>`.
 *
 * Only the named packages: dependencies are the caller's knowledge. Nothing is installed, no script runs.
 */
export async function unpackPackages(
  suite: AptSuite,
  names: readonly string[],
  into: string,
): Promise<UnpackedPackage[]> {
  const downloads = join(suite.dir, "downloads");
  await mkdir(downloads, { recursive: true });
  await mkdir(into, { recursive: true });
  await mustRun("apt-get", ["-c", join(suite.dir, "apt.conf"), "-q", "download", ...names], {
    cwd: downloads,
    timeoutMs: 600_000,
  });
  const unpacked: UnpackedPackage[] = [];
  for (const file of await readdir(downloads)) {
    // An epoch (`1%3a` in the file's name) must not reach a path: PATH is cut at colons.
    const [name = file, version = "0"] = file.replace(/_\d+%3a/, "_").split("_");
    const root = join(into, `${name}_${version}`);
    await mustRun("dpkg", ["-x", join(downloads, file), root]);
    unpacked.push({ name, version, root });
  }
  await rm(downloads, { recursive: true });
  return unpacked;
}
