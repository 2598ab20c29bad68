import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunningBuild } from "../support/builds/running-build.ts";
import { LAB_CACHE_DIR } from "../support/lab/cache-dir.ts";
import { launchChromium, provisionChromium } from "../support/lab/chromium.ts";
import { Gateways } from "../support/lab/gateways.ts";
import { Lab } from "../support/lab/lab.ts";
import { provision } from "../support/lab/provision.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeGitCheckout } from "../support/stories/git-checkout.ts";

const FOLDER = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));

const WIDTHS = [375, 1_280, 2_560];

/** Pictures of the dashboard over three real replicas with real builds: some ran, one failed, four run and two wait. */
async function main(): Promise<void> {
  const missing = await provisionChromium();
  if (missing !== undefined) throw new Error(missing);
  const provisioned = await provision({ cacheDir: LAB_CACHE_DIR });
  if (provisioned.t === "unavailable") throw new Error(provisioned.reason);
  const lab = await Lab.open(provisioned.tools);
  const gateways = new Gateways();
  try {
    await takePictures(lab, gateways);
  } finally {
    await gateways.kill();
    await lab.close();
  }
}

async function takePictures(lab: Lab, gateways: Gateways): Promise<void> {
  const replicas = await lab.startReplicas(3);
  const gateway = await gateways.start({
    replicas,
    flags: ["--max-builds=2"],
    env: { BUILDKIT_GATEWAY_AFFINITY_PATIENCE: "0" },
  });
  const version = BUILDX_VERSIONS.find((one) => lab.tools.buildx[one] !== undefined)!;
  const buildx = await lab.createBuilder({ version, address: gateway.address });
  const start = (repository: string) => RunningBuild.start({ lab, buildx, replicas, repository });
  for (const name of ["site", "api", "worker", "site", "api", "docs", "site"])
    await (await start(`acme/${name}`)).finish();
  const folder = await lab.newFolder();
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\nCOPY dist/index.html /\n");
  await makeGitCheckout(folder, "https://git.invalid/acme/landing.git", buildx.env);
  await buildx.run(["build", "--output=type=cacheonly", "."], { cwd: folder });
  const running = [];
  for (const name of ["site", "api", "worker", "docs", "search", "mail"]) running.push(await start(`acme/${name}`));
  const waiting = ["billing", "site"].map((name) => start(`acme/${name}`));
  const browser = await launchChromium();
  try {
    await mkdir(FOLDER, { recursive: true });
    for (const width of WIDTHS) {
      for (const colorScheme of ["light", "dark"] as const) {
        const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
        await page.goto(`http://${gateway.adminAddress}/`);
        await page.locator("#queue .row").nth(1).waitFor();
        // The rate of bytes needs two looks.
        await page.waitForTimeout(1_500);
        await page.screenshot({ path: join(FOLDER, `dashboard-${width}-${colorScheme}.png`), fullPage: true });
        await page.close();
      }
    }
  } finally {
    await browser.close();
    for (const build of running) await build.finish();
    for (const build of waiting) await (await build).finish();
  }
}

await main();
