import { afterAll, beforeAll, describe, test } from "vitest";
import { LAB_CACHE_DIR } from "./cache-dir.ts";
import { Lab } from "./lab.ts";
import { provision } from "./provision.ts";

/** What a machine needs so that the tests with real BuildKit run. */
const HOW_TO_ENABLE = "run as root on Debian with an apt mirror, or set BUILDKIT_ADDRS=tcp://host:port,…";

/** What tests ask of their lab. */
export interface LabNeeds {
  /** They start, end or look into replicas, which the lab can do with its own only. Default false. */
  readonly ownReplicas?: boolean;
}

/**
 * `describe` with a lab that is opened before and closed after its tests.
 *
 * Where real BuildKit cannot be had, the tests are left out with one line that
 * says why; with CI=true that is a failure instead. `await` it at a file's top.
 */
export async function describeWithLab(
  name: string,
  define: (lab: () => Lab) => void,
  { ownReplicas = false }: LabNeeds = {},
): Promise<void> {
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable") {
    const line = `left out: no real BuildKit here: ${provisioned.reason}. To enable: ${HOW_TO_ENABLE}`;
    if (process.env.CI === "true") throw new Error(line);
    process.stderr.write(`${name}: ${line}\n`);
    describe(name, () => test.skip(line, () => {}));
    return;
  }
  if (ownReplicas && provisioned.tools.replicas.t === "external") {
    describe(name, () => test.skip("left out: the replicas of BUILDKIT_ADDRS are not the lab's to end", () => {}));
    return;
  }
  describe(name, () => {
    let lab: Lab | undefined;
    beforeAll(async () => {
      lab = await Lab.open(provisioned.tools);
    });
    afterAll(() => lab?.close());
    define(() => {
      if (!lab) throw new Error("the lab opens in beforeAll: use it in tests and hooks only");
      return lab;
    });
  });
}
