import { expect, test } from "vitest";
import type { Placer } from "../../../src/routing/placer.ts";
import { RoutingRig, ScriptedClient, settled, solve } from "./routing-rig.ts";

// A placer that lets builds wait must be able to tell them from what no client waits for: buildx 0.29 sends
// its traces before it ends, and with that call held for the queue it took 30 s to obey Ctrl-C.
test("the placer is told what it places: a build, an internal Solve, or a call of no build", async () => {
  const purposes: string[] = [];
  const rig = new RoutingRig(["a"], {
    wrapPlacer: (usual): Placer => ({
      place(request, signal) {
        purposes.push(request.purpose);
        return usual.place(request, signal);
      },
      buildStarted: (fairKey) => usual.buildStarted(fairKey),
    }),
  });
  rig.solve(new ScriptedClient(), solve("probe", { isInternal: true }));
  rig.solve(new ScriptedClient(), solve("build"));
  rig.other(new ScriptedClient());
  await settled();
  expect(purposes).toEqual(["internal", "build", "call"]);
});
