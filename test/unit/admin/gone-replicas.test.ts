import { expect, test } from "vitest";
import { GoneReplicas } from "../../../src/admin/gone-replicas.ts";
import { FakeDrainFleet } from "./fake-drain-fleet.ts";

test("the last thousand that have gone are known", () => {
  const fleet = new FakeDrainFleet();
  const gone = new GoneReplicas(fleet);
  for (let i = 0; i <= 1_000; i++) {
    fleet.put(`r-${i}`);
    fleet.remove(`r-${i}`);
  }
  expect([gone.has("r-0"), gone.has("r-1"), gone.has("r-1000")]).toEqual([false, true, true]);
});

test("one that has come back is not gone", () => {
  const fleet = new FakeDrainFleet();
  const gone = new GoneReplicas(fleet);
  fleet.put("a");
  fleet.remove("a");
  fleet.put("a");
  expect(gone.has("a")).toBe(false);
});
