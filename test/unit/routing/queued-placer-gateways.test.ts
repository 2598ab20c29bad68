import fc from "fast-check";
import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { QueuedPlacer } from "../../../src/routing/queued-placer.ts";
import { WarmMemory } from "../../../src/routing/warm-memory.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedFleet, USUAL_OPTIONS } from "./placer-rig.ts";

const MAX_BUILDS = 3;

/** Several gateways over one replica: each sees its own builds at once, and those of the others when the replica tells. */
class ManyGateways {
  readonly fleets: readonly ScriptedFleet[];
  readonly #placers: readonly QueuedPlacer[];
  readonly #clock = new FakeClock();
  /** Builds that the replica has not told of yet, by gateway. */
  readonly #unconfirmed: number[];
  #confirmed = 0;
  mostRunning = 0;

  constructor(gateways: number) {
    this.fleets = Array.from({ length: gateways }, () => new ScriptedFleet(["a"]));
    this.#unconfirmed = this.fleets.map(() => 0);
    this.#placers = this.fleets.map(
      (fleet) =>
        new QueuedPlacer({
          fleet,
          memory: new WarmMemory({ clock: this.#clock, lifetimeMs: 1_000_000, maxKeys: 100 }),
          clock: this.#clock,
          log: silentLog(),
          options: { ...USUAL_OPTIONS, maxBuilds: MAX_BUILDS },
        }),
    );
  }

  ask(gateway: number): void {
    const onChosen = (): void => {
      this.#unconfirmed[gateway]!++;
      this.#show();
    };
    const request = {
      purpose: "build",
      key: "key",
      fairKey: "key",
      excluded: new Map(),
      onWaiting: () => undefined,
    } as const;
    void this.#placers[gateway]!.place({ ...request, onChosen }, new AbortController().signal);
  }

  /** The replica tells everybody of all its builds. */
  tell(): void {
    for (const [gateway, count] of this.#unconfirmed.entries()) {
      this.#confirmed += count;
      this.#unconfirmed[gateway] = 0;
    }
    this.#show();
  }

  end(): void {
    if (this.#confirmed > 0) this.#confirmed--;
    this.#show();
  }

  stop(): void {
    for (const placer of this.#placers) placer.stop();
  }

  #show(): void {
    this.mostRunning = Math.max(
      this.mostRunning,
      this.#unconfirmed.reduce((sum, count) => sum + count, this.#confirmed),
    );
    for (const [gateway, fleet] of this.fleets.entries()) {
      const own = this.#unconfirmed[gateway]!;
      fleet.set("a", { runningBuilds: this.#confirmed + own, unconfirmedBuilds: own });
    }
  }
}

test("several gateways together exceed maxBuilds by at most one less than there are", async () => {
  const step = fc.tuple(fc.constantFrom("ask", "ask", "tell", "end"), fc.nat(3));
  let worst = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), async (count, steps) => {
      const gateways = new ManyGateways(count);
      for (const [what, pick] of steps) {
        if (what === "ask") gateways.ask(pick % count);
        else if (what === "tell") gateways.tell();
        else gateways.end();
        if (pick > 0) await new Promise((resolve) => setImmediate(resolve));
      }
      gateways.stop();
      worst = Math.max(worst, gateways.mostRunning - (MAX_BUILDS + count - 1));
      expect(gateways.mostRunning).toBeLessThanOrEqual(MAX_BUILDS + count - 1);
    }),
    { numRuns: 300 },
  );
  expect(worst).toBe(0);
});
