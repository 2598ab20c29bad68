import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningBuild } from "../support/builds/running-build.ts";
import type { Buildx } from "../support/lab/buildx.ts";
import { launchChromium, provisionChromium } from "../support/lab/chromium.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import { freePort } from "../support/lab/free-port.ts";
import type { GatewayProcess } from "../support/lab/gateway-process.ts";
import { Gateways } from "../support/lab/gateways.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS } from "../support/lab/tools.ts";
import { makeGitCheckout } from "../support/stories/git-checkout.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What a client can name: here a file that is not there, of which its error speaks. */
const MARKUP = "<img src=x onerror=alert(1)>";

const WAIT = { timeout: 30_000 };

await describeWithLab(
  "the dashboard in Chromium",
  (lab) => {
    const gateways = new Gateways();
    let admin: string;
    let gateway: GatewayProcess;
    let replicas: readonly LabReplica[];
    let buildx: Buildx;
    let browser: Browser;
    let page: Page;
    const errors: string[] = [];
    const requests: string[] = [];

    const startGateway = (listen: string) =>
      gateways.start({
        replicas,
        admin,
        listen,
        flags: ["--max-builds=1"],
        env: { BUILDKIT_GATEWAY_AFFINITY_PATIENCE: "0" },
      });

    beforeAll(async () => {
      const missing = await provisionChromium();
      if (missing !== undefined) throw new Error(missing);
      replicas = await lab().startReplicas(2);
      admin = `127.0.0.1:${await freePort()}`;
      gateway = await startGateway(`tcp://127.0.0.1:${await freePort()}`);
      const version = BUILDX_VERSIONS.find((one) => lab().tools.buildx[one] !== undefined)!;
      buildx = await lab().createBuilder({ version, address: gateway.address });
      browser = await launchChromium();
      page = await browser.newPage({ viewport: { width: 1_280, height: 900 } });
      page.on("console", (message) => {
        if (message.type() === "error") errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(error.message));
      page.on("request", (request) => requests.push(request.url()));
      page.on("dialog", (dialog) => {
        errors.push(`a dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      await page.goto(`http://${admin}/`);
    });
    afterAll(async () => {
      await browser?.close();
      await gateways.kill();
    });

    const start = (repository: string) => RunningBuild.start({ lab: lab(), buildx, replicas, repository });

    /** A build that fails before it runs anything. */
    async function fail(repository: string): Promise<void> {
      const folder = await lab().newFolder();
      await writeFile(join(folder, "Dockerfile"), `FROM scratch\nCOPY ["${MARKUP}", "/"]\n`);
      await makeGitCheckout(folder, `https://git.invalid/${repository}.git`, buildx.env);
      expect((await buildx.run(["build", "--output=type=cacheonly", "."], { cwd: folder })).exitCode).not.toBe(0);
    }

    const number = (name: string) => page.locator(".number", { hasText: name }).locator("dd");

    test("shows replicas, builds, the queue and what has ended, as it happens", async () => {
      await page.locator("#health", { hasText: "all is well" }).waitFor(WAIT);
      await expect.poll(() => page.locator(".lane").count(), WAIT).toBe(2);
      await expect.poll(() => number("Replicas ready").textContent(), WAIT).toBe("2 of 2");
      const one = await start("acme/app");
      const other = await start("acme/other");
      await page.locator(".lane .row", { hasText: "git.invalid/acme/app" }).waitFor(WAIT);
      await expect.poll(() => page.locator(".lane .row").count(), WAIT).toBe(2);
      await expect.poll(() => number("Builds running").textContent(), WAIT).toBe("2");
      const lane = page.locator(".lane .row", { hasText: "git.invalid/acme/app" });
      await expect.poll(() => lane.locator(".why").textContent(), WAIT).toMatch(/[1-9]\d* of \d+ steps · .*B moved/);
      const third = start("acme/third");
      await page.locator("#queue .row", { hasText: "git.invalid/acme/third" }).waitFor(WAIT);
      expect(await page.locator("#queue .row .why").textContent()).toContain("all 2 replicas are full");
      await one.finish();
      await page.locator(".lane .row", { hasText: "git.invalid/acme/third" }).waitFor(WAIT);
      await expect.poll(() => page.locator("#queue .row").count(), WAIT).toBe(0);
      await other.finish();
      await (await third).finish();
      await fail("acme/broken");
      await page.locator("#failures .row", { hasText: "not found" }).waitFor(WAIT);
      await expect.poll(() => page.locator("#ended .row").count(), WAIT).toBe(4);
      expect(await page.locator("#chart-builds rect").count()).toBeGreaterThan(0);
    });

    test("shows what a client can name as text", async () => {
      for (const list of ["#failures", "#ended"]) expect(await page.locator(list).textContent()).toContain(MARKUP);
      expect(await page.locator("img").count()).toBe(0);
    });

    test("loads nothing from elsewhere, and has no error", () => {
      expect(requests.filter((url) => !url.startsWith(`http://${admin}/`) && url !== "data:,")).toEqual([]);
      expect(errors).toEqual([]);
    });

    test.each([375, 1_280, 2_560])("has no serious barrier, light or dark, %d pixels wide", async (width) => {
      await page.setViewportSize({ width, height: 900 });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(await readFile(AXE, "utf8"));
        const found = await page.evaluate(async () => {
          // @ts-expect-error axe has been put into the page
          const { violations } = await axe.run();
          return (violations as { id: string; impact: string; nodes: { html: string }[] }[])
            .filter(({ impact }) => impact === "serious" || impact === "critical")
            .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
        });
        expect(found).toEqual([]);
      }
      const overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect(overflow).toBe(0);
    });

    test("says when the connection is lost, and goes on once the gateway is back", async () => {
      const listen = gateway.address;
      await gateway.kill();
      await page.locator("#link", { hasText: "connection lost" }).waitFor(WAIT);
      await startGateway(listen);
      await expect.poll(() => page.locator("#link").textContent(), WAIT).toBe("live");
      await expect.poll(() => page.locator(".lane").count(), WAIT).toBe(2);
    });

    test("goes on after an answer that is an error, which a browser does not ask after again", async () => {
      const other = await browser.newPage();
      await other.route("**/events", (route) => route.fulfill({ status: 503 }));
      await other.goto(`http://${admin}/`);
      await other.locator("#link", { hasText: "connection lost" }).waitFor(WAIT);
      await other.evaluate("window.isFirstPage = true");
      await other.unroute("**/events");
      await expect.poll(() => other.locator("#link").textContent(), WAIT).toBe("live");
      // What stands before a gateway has no page of its own that would try again.
      expect(await other.evaluate("window.isFirstPage")).toBe(true);
    });

    test("has as many rows as there are things, though two have one name", async () => {
      const counts = await page.evaluate(`import("/dashboard/elements.js").then(({ make, reconcile }) => {
        const list = make("ul");
        return ["aa", "aa", "aba", "b"].map((keys) => {
          reconcile(list, [...keys], (key) => key, () => make("li"), () => {});
          return list.children.length;
        });
      })`);
      expect(counts).toEqual([2, 2, 3, 1]);
    });
  },
  { ownReplicas: true },
);
