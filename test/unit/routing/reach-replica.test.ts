import { expect, test } from "vitest";
import type { PlacementRequest } from "../../../src/routing/placer.ts";
import { RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

test("replicas that could not be reached are excluded until all others have been tried, and then again", async () => {
  const choices = ["a", "b", "a", "b", "c"];
  const excluded: string[][] = [];
  const requests = new Set<PlacementRequest>();
  const rig = new RoutingRig(["a", "b", "c"], {
    wrapPlacer: (usual) => ({
      async place(request) {
        requests.add(request);
        excluded.push([...request.excluded.keys()]);
        const replicaId = choices.shift()!;
        request.onChosen(replicaId);
        return { t: "placed", replicaId, reason: { t: "least loaded" } };
      },
      buildStarted: (fairKey) => usual.buildStarted(fairKey),
    }),
  });
  const client = new ScriptedClient();
  client.cannotReach("a");
  client.cannotReach("b");
  rig.solve(client, solve("r"));
  await settled();
  expect(excluded).toEqual([[], ["a"], ["a", "b"], ["a"], ["a", "b"]]);
  expect(rig.journal).toEqual(["solve r → c"]);
  expect(rig.load.get("c")).toBe(1);
  expect(rig.totalLoad).toBe(1);
  // One and the same, by which a placer knows how long it has waited.
  expect(requests.size).toBe(1);
});
