import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEPLOY_DIR } from "../support/deploy/manifests.ts";
import { mustRun } from "../support/lab/command.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scripts-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("prepare.sh", () => {
  const script = join(DEPLOY_DIR, "base/replicas/prepare.sh");

  async function bundle(own: Readonly<Record<string, string>> | undefined): Promise<string> {
    const env = {
      PREPARE_STATE: join(folder, "state"),
      PREPARE_SYSTEM: join(folder, "system"),
      PREPARE_OWN: join(folder, "own"),
      PREPARE_BUNDLE: join(folder, "out"),
    };
    await writeFile(env.PREPARE_SYSTEM, "SYSTEM\n");
    if (own) {
      await mkdir(env.PREPARE_OWN);
      for (const [name, text] of Object.entries(own)) await writeFile(join(env.PREPARE_OWN, name), text);
    }
    await mustRun("sh", [script], { env: { PATH: process.env.PATH, ...env } });
    return await readFile(env.PREPARE_BUNDLE, "utf8");
  }

  test("adds every authority of the ConfigMap to the system's, each on lines of its own", async () => {
    expect(await bundle({ "a.crt": "A", "b.crt": "B\n", "notes.txt": "no" })).toBe("SYSTEM\n\nA\nB\n");
  });

  test.each([
    ["is not there", undefined],
    ["is empty", {}],
  ])("leaves the system's where the ConfigMap %s", async (_name, own) => {
    expect(await bundle(own)).toBe("SYSTEM\n");
  });

  test("makes the folders that the layers are mounted in, and does not mind that they are there", async () => {
    for (let start = 0; start < 2; start++) {
      await bundle(undefined);
      expect((await readdir(join(folder, "state/runc-overlayfs"))).sort()).toEqual(["content", "snapshots"]);
      expect(await readdir(join(folder, "state/runc-overlayfs/snapshots"))).toEqual(["snapshots"]);
    }
  });
});

test("the job-started hook writes who is building, one line each, and leaves no half-written file", async () => {
  const file = join(folder, "job.env");
  await mustRun("bash", [join(DEPLOY_DIR, "examples/arc-runner/job-started.sh")], {
    env: {
      PATH: process.env.PATH,
      BUILDKIT_IDENTITY_FILE: file,
      GITHUB_REPOSITORY: "acme/app",
      GITHUB_WORKFLOW_REF: "build\nGITHUB_REPOSITORY=acme/other",
      GITHUB_RUN_ID: "42",
      GITHUB_TOKEN: "not-a-secret",
    },
  });
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  expect(lines).toContain("GITHUB_REPOSITORY=acme/app");
  expect(lines).toContain("GITHUB_WORKFLOW_REF=buildGITHUB_REPOSITORY=acme/other");
  expect(lines).toContain("GITHUB_RUN_ID=42");
  expect(lines.filter((line) => line.startsWith("GITHUB_REPOSITORY="))).toHaveLength(1);
  expect(lines.join()).not.toContain("not-a-secret");
  expect(await readdir(folder)).toEqual(["job.env"]);
});
