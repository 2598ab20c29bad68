import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { AdminServer } from "../../../src/admin/admin-server.ts";
import type { AdminRoutes } from "../../../src/admin/routes.ts";
import { silentLog } from "../../../src/base/log.ts";
import type { AskedWorker } from "../../../src/workers/ask-worker.ts";
import { CrewAnswers } from "../../../src/workers/crew-answers.ts";

/** Serve the routes of each worker on a unix socket of its own until the test ends; `null`: it does not answer. */
export async function fakeWorkers(...routes: readonly (AdminRoutes | null)[]): Promise<CrewAnswers> {
  const folder = mkdtempSync(join(tmpdir(), "bkgw-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const workers = routes.map(
    (_, index): AskedWorker => ({ worker: index + 1, life: index + 1, path: join(folder, `${index + 1}.sock`) }),
  );
  for (const [index, one] of routes.entries()) {
    if (!one) continue;
    const server = new AdminServer({ routes: one, log: silentLog() });
    onTestFinished(() => server.close());
    await server.listen({ t: "unix", path: workers[index]!.path });
  }
  return new CrewAnswers(() => workers);
}
