import { join } from "node:path";
import { describe, test } from "vitest";
import { LAB_CACHE_DIR } from "../lab/cache-dir.ts";
import { runCommand } from "../lab/command.ts";
import { PackageCache, type PackageSet } from "../lab/package-cache.ts";

/** sid's runs on the stable releases before it. */
const KUBECTL_PACKAGES: PackageSet = { name: "kubectl", packages: ["kubectl"], suites: ["sid"] };

/** The first kustomize that knows all that our manifests use. */
const FIRST_KUSTOMIZE_MAJOR = 5;

type KubectlOutcome =
  | { readonly t: "ready"; readonly file: string }
  | { readonly t: "unavailable"; readonly reason: string };

/**
 * `describe` with a kubectl: the one on PATH if it is new enough, else Debian's.
 *
 * Where none can be had, the tests are left out with one line that says why; with
 * CI=true that is a failure instead. `await` it at a file's top.
 */
export async function describeWithKubectl(name: string, define: (kubectl: string) => void | Promise<void>) {
  const kubectl = await findKubectl();
  if (kubectl.t === "ready") {
    describe(name, () => define(kubectl.file));
    return;
  }
  const line = `left out: no kubectl here: ${kubectl.reason}`;
  if (process.env.CI === "true") throw new Error(line);
  process.stderr.write(`${name}: ${line}\n`);
  describe(name, () => test.skip(line, () => {}));
}

async function findKubectl(): Promise<KubectlOutcome> {
  if (await isNewEnough("kubectl")) return { t: "ready", file: "kubectl" };
  const cache = new PackageCache(LAB_CACHE_DIR);
  try {
    const fetched = await cache.fetch(KUBECTL_PACKAGES);
    if (fetched.t === "unavailable") return fetched;
    const file = join(fetched.packages.get("kubectl")!.root, "usr/bin/kubectl");
    return (await isNewEnough(file)) ? { t: "ready", file } : { t: "unavailable", reason: `${file} does not run here` };
  } finally {
    await cache.close();
  }
}

async function isNewEnough(file: string): Promise<boolean> {
  try {
    const { stdout } = await runCommand(file, ["version", "--client"], { timeoutMs: 20_000 });
    return Number(/Kustomize Version: v(\d+)\./.exec(stdout)?.[1] ?? 0) >= FIRST_KUSTOMIZE_MAJOR;
  } catch {
    // No such program.
    return false;
  }
}
