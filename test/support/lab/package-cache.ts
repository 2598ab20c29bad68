import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type AptSuite,
  debianCodename,
  debianMirrors,
  openAptSuite,
  type UnpackedPackage,
  unpackPackages,
} from "./apt-suite.ts";
import { withFileLock } from "./file-lock.ts";

/** Packages that are fetched together from one suite. */
export interface PackageSet {
  /** Names the set's folder in the cache. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Suites to try, best first. `own` is the machine's. */
  readonly suites: readonly string[];
}

/** Unpacked packages by name, or one line that says why they cannot be had. */
export type PackagesOutcome =
  | { readonly t: "ready"; readonly packages: ReadonlyMap<string, UnpackedPackage> }
  | { readonly t: "unavailable"; readonly reason: string };

const MANIFEST = "packages.json";

/**
 * Debian packages in a folder of the project, fetched once and kept between runs.
 *
 * A set is there whole or not at all: it is assembled elsewhere and renamed into
 * place, under a lock, so that any number of processes may ask at once. Remove
 * the folder to fetch newer packages.
 */
export class PackageCache {
  readonly #dir: string;
  readonly #suites = new Map<string, Promise<AptSuite>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The set's packages, from the cache or else from the machine's Debian mirror. */
  async fetch(set: PackageSet): Promise<PackagesOutcome> {
    const codename = await debianCodename();
    if (codename === undefined) return { t: "unavailable", reason: "not Debian" };
    const home = join(this.#dir, `${codename}-${process.arch}`, set.name);
    const cached = await readManifest(home);
    if (cached) return { t: "ready", packages: cached };
    await mkdir(join(home, ".."), { recursive: true });
    return await withFileLock(`${home}.lock`, async () => {
      const fetchedMeanwhile = await readManifest(home);
      if (fetchedMeanwhile) return { t: "ready", packages: fetchedMeanwhile };
      return await this.#download(set, codename, home);
    });
  }

  /** Remove what was only needed while fetching. */
  async close(): Promise<void> {
    await rm(this.#scratch(), { recursive: true, force: true });
    this.#suites.clear();
  }

  async #download(set: PackageSet, codename: string, home: string): Promise<PackagesOutcome> {
    const mirrors = await debianMirrors(codename);
    const failures: unknown[] = [];
    for (const suiteName of set.suites.map((name) => (name === "own" ? codename : name))) {
      for (const mirror of mirrors) {
        const assembly = join(this.#scratch(), set.name);
        try {
          const suite = await this.#openSuite(mirror, suiteName);
          const unpacked = await unpackPackages(suite, set.packages, assembly);
          const manifest = unpacked.map(({ name, version }) => ({ name, version }));
          await writeFile(join(assembly, MANIFEST), JSON.stringify(manifest));
          // What is there without a manifest is the rest of an older layout: nobody can be using it.
          await rm(home, { recursive: true, force: true });
          await rename(assembly, home);
          return { t: "ready", packages: (await readManifest(home))! };
        } catch (reason) {
          failures.push(reason);
          await rm(assembly, { recursive: true, force: true });
        }
      }
    }
    return { t: "unavailable", reason: describeFailures(set, mirrors, failures) };
  }

  #openSuite(mirror: string, name: string): Promise<AptSuite> {
    const key = `${mirror} ${name}`;
    const opened = this.#suites.get(key) ?? openAptSuite(mirror, name, join(this.#scratch(), `suite-${name}`));
    this.#suites.set(key, opened);
    return opened;
  }

  #scratch(): string {
    return join(this.#dir, `fetching-${process.pid}`);
  }
}

async function readManifest(home: string): Promise<Map<string, UnpackedPackage> | undefined> {
  const text = await readFile(join(home, MANIFEST), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const packages = JSON.parse(text) as { name: string; version: string }[];
  return new Map(
    packages.map(({ name, version }) => [name, { name, version, root: join(home, `${name}_${version}`) }]),
  );
}

function describeFailures(set: PackageSet, mirrors: readonly string[], failures: readonly unknown[]): string {
  if (mirrors.length === 0) return "no Debian mirror in apt's configuration";
  const last = failures.at(-1);
  const why = last instanceof Error ? last.message.replace(/\s+/g, " ").slice(-200) : String(last);
  return `no ${set.packages.join(", ")} from a Debian mirror (…${why})`;
}
