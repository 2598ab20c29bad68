import { expect, test } from "vitest";
import type { PlacementOutcome, PlacementRequest } from "../../../src/routing/placer.ts";
import { PlacerRig } from "./placer-rig.ts";

/** A build whose request is made again when its replica could not be reached, as the router does. */
class RetryingBuild {
  readonly outcomes: (PlacementOutcome | undefined)[] = [];
  readonly #rig: PlacerRig;
  readonly #request: PlacementRequest;

  constructor(rig: PlacerRig, key: string) {
    this.#rig = rig;
    this.#request = {
      purpose: "build",
      key,
      fairKey: key,
      excluded: new Map(),
      onChosen: (replicaId) => rig.journal.push(`retrying → ${replicaId}`),
      onWaiting: () => {},
    };
  }

  async ask(): Promise<void> {
    const index = this.outcomes.push(undefined) - 1;
    void this.#rig.placer.place(this.#request, new AbortController().signal).then((outcome) => {
      this.outcomes[index] = outcome;
    });
    await this.#rig.settled();
  }
}

test("a build whose replica could not be reached keeps its place before later ones of its key", async () => {
  const rig = new PlacerRig(["a"], { maxBuilds: 1 });
  const retrying = new RetryingBuild(rig, "key");
  await retrying.ask();
  rig.fleet.set("a", { runningBuilds: 1 });
  rig.ask("later", { key: "key" });
  await retrying.ask();
  rig.fleet.set("a", { runningBuilds: 0 });
  await rig.settled();
  expect(rig.journal).toEqual(["retrying → a", "retrying → a", "later → a"]);
});

test("the time that a build may wait is counted from when it first asked", async () => {
  const rig = new PlacerRig(["a"], { maxBuilds: 1, queueTimeoutMs: 60_000 });
  const retrying = new RetryingBuild(rig, "key");
  await retrying.ask();
  rig.clock.advance(50_000);
  rig.fleet.set("a", { runningBuilds: 1 });
  await retrying.ask();
  rig.clock.advance(9_999);
  await rig.settled();
  expect(retrying.outcomes[1]).toBeUndefined();
  rig.clock.advance(1);
  await rig.settled();
  expect(retrying.outcomes[1]).toMatchObject({ t: "refused", error: { kind: "queue_timeout" } });
});
