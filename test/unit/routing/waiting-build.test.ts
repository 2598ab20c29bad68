import { expect, test } from "vitest";
import type { PlacementRequest } from "../../../src/routing/placer.ts";
import { WaitingBuild } from "../../../src/routing/waiting-build.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function waitingBuild() {
  const clock = new FakeClock();
  const request = { excluded: new Map() } as unknown as PlacementRequest;
  return { clock, build: new WaitingBuild(request, { arrival: 0, arrivedMs: 0 }, clock) };
}

test("it is woken at the time that was asked for last, and once", () => {
  const { clock, build } = waitingBuild();
  const wakes: number[] = [];
  for (const atMs of [100, 200, 50, 300, 300]) build.wakeAt(atMs, () => wakes.push(clock.nowMs()));
  clock.advance(1_000);
  expect(wakes).toEqual([300]);
});

test("it is not woken once it is settled", () => {
  const { clock, build } = waitingBuild();
  build.wakeAt(100, () => expect.unreachable());
  build.settle({ t: "placed", replicaId: "a", reason: { t: "warm" } });
  clock.advance(1_000);
});
