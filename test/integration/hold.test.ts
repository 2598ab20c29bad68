import { EventEmitter, once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  ImmediatePlacer,
  type PlacementOutcome,
  type PlacementRequest,
  type Placer,
} from "../../src/routing/placer.ts";
import { checkOut } from "../support/builds/repository.ts";
import { type InProcessGateway, startInProcess } from "../support/gateway-in-process.ts";
import type { BuildxRunOptions } from "../support/lab/buildx.ts";
import { describeWithLab } from "../support/lab/describe-with-lab.ts";
import type { LabReplica } from "../support/lab/replica.ts";
import { BUILDX_VERSIONS, type BuildxVersion } from "../support/lab/tools.ts";

// A gateway that never drains is a failure, too.
vi.setConfig({ testTimeout: 240_000 });

/** What is held, and for how long. A client has limits of its own: 10 s for a session's preface, 15 s for a ping. */
const HOLDS = [
  { what: "a build", purpose: "build", holdMs: 60_000 },
  // Up to three, one after another, come before each build.
  { what: "a capability probe", purpose: "internal", holdMs: 20_000 },
] as const;

type Hold = (typeof HOLDS)[number];

/** Places as usual, but lets some wait. Emits `held` for each, and `abandoned` when nobody waits for it any more. */
class HoldingPlacer extends EventEmitter implements Placer {
  readonly #next: Placer;
  readonly #hold: Hold;

  constructor(next: Placer, hold: Hold) {
    super();
    this.#next = next;
    this.#hold = hold;
  }

  async place(request: PlacementRequest, signal: AbortSignal): Promise<PlacementOutcome> {
    if (request.purpose === this.#hold.purpose) {
      signal.addEventListener("abort", () => this.emit("abandoned"));
      this.emit("held");
      await delay(this.#hold.holdMs, undefined, { signal, ref: false }).catch(() => {});
    }
    return await this.#next.place(request, signal);
  }
}

await describeWithLab("a gateway that holds", (lab) => {
  let replicas: readonly LabReplica[];
  const gateways: InProcessGateway[] = [];

  beforeAll(async () => {
    const { replicas: source } = lab().tools;
    replicas = await lab().startReplicas(source.t === "external" ? source.addresses.length : 2);
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
  });

  async function startHolding(hold: Hold) {
    let placer: HoldingPlacer | undefined;
    const gateway = await startInProcess({
      replicas,
      parts: {
        makePlacer: (fleet) => {
          placer = new HoldingPlacer(new ImmediatePlacer(fleet, { loadFactor: 1.25, loadFloor: 4 }), hold);
          return placer;
        },
      },
    });
    gateways.push(gateway);
    return { gateway, placer: placer! };
  }

  /** `build`, or `bake` of two targets, of a fresh checkout. */
  async function prepare(command: "build" | "bake", version: BuildxVersion, address: string) {
    const buildx = await lab().createBuilder({ version, address });
    const folder = await checkOut(lab(), buildx, `acme/held-${command}-${version}`);
    const output = ["type=cacheonly"];
    const target = { one: { context: ".", output }, two: { context: ".", output, args: { TWO: "2" } } };
    await writeFile(
      join(folder, "docker-bake.json"),
      JSON.stringify({ group: { default: { targets: ["one", "two"] } }, target }),
    );
    const args = command === "build" ? ["build", "--output=type=cacheonly", "."] : ["bake"];
    return (ending: Pick<BuildxRunOptions, "signal" | "signalOn"> = {}) =>
      buildx.run(args, { cwd: folder, timeoutMs: 180_000, ...ending });
  }

  // Side by side, since they do nothing but wait.
  for (const hold of HOLDS) {
    test.concurrent(`lets build and bake succeed: ${hold.what} for ${hold.holdMs} ms`, async () => {
      const { gateway } = await startHolding(hold);
      const runs = BUILDX_VERSIONS.flatMap((version) =>
        (["build", "bake"] as const).map(async (command) => {
          const run = await prepare(command, version, gateway.address);
          const { exitCode, stderr, durationMs } = await run();
          console.log(`${hold.what}, buildx ${version} ${command}: ${(durationMs / 1_000).toFixed(1)} s`);
          expect(exitCode, stderr).toBe(0);
          expect(durationMs).toBeGreaterThanOrEqual(hold.holdMs);
        }),
      );
      await Promise.all(runs);
    });

    test.concurrent(`holds nothing any more after Ctrl-C, which ends buildx at once: ${hold.what}`, async () => {
      for (const version of BUILDX_VERSIONS) {
        const { gateway, placer } = await startHolding(hold);
        const run = await prepare("build", version, gateway.address);
        const [held, abandoned] = [once(placer, "held"), once(placer, "abandoned")];
        const interrupt = new AbortController();
        const ended = run({ signalOn: interrupt.signal });
        await held;
        interrupt.abort();
        const { exitCode, stderr, signalToExitMs } = await ended;
        console.log(`${hold.what}, buildx ${version}: ended ${signalToExitMs!.toFixed(0)} ms after Ctrl-C`);
        expect(exitCode, stderr).toBeOneOf([130, 1]);
        expect(stderr).toContain("context canceled");
        expect(signalToExitMs).toBeLessThan(10_000);
        await abandoned;
        // Resolves when no client is left.
        await gateway.drain();
      }
    });

    test.concurrent(`holds nothing any more after kill -9 of buildx: ${hold.what}`, async () => {
      const { gateway, placer } = await startHolding(hold);
      const run = await prepare("bake", "0.29", gateway.address);
      const [held, abandoned] = [once(placer, "held"), once(placer, "abandoned")];
      const kill = new AbortController();
      const ended = run({ signalOn: kill.signal, signal: "SIGKILL" });
      await held;
      kill.abort();
      await Promise.all([ended, abandoned]);
      await gateway.drain();
    });
  }
});
