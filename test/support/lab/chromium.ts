import { access } from "node:fs/promises";
import { type Browser, chromium } from "playwright-core";
import { mustRun, runCommand } from "./command.ts";

const PROGRAM = "/usr/bin/chromium";

/** Chromium calls home and looks for what is not there unless it is told not to. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Make sure that Debian's Chromium is there, or say in one line why it cannot be. It is installed by apt where it is missing. */
export async function provisionChromium(): Promise<string | undefined> {
  const isThere = () =>
    access(PROGRAM).then(
      () => true,
      () => false,
    );
  if (await isThere()) return undefined;
  if (process.getuid?.() !== 0) return `no ${PROGRAM}, and not root`;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // A machine may have no package lists yet.
  await runCommand("apt-get", ["update", "-qq"], { env, timeoutMs: 180_000 });
  const packages = ["chromium", "fonts-dejavu-core"];
  await mustRun("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
    env,
    timeoutMs: 600_000,
  });
  return (await isThere()) ? undefined : `no ${PROGRAM} after its installation`;
}

/** Start it, headless, with a profile of its own that is gone when it is closed. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, headless: true, args: FLAGS });
}
