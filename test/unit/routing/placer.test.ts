import { expect, test } from "vitest";
import type { GatewayError } from "../../../src/base/errors.ts";
import { describeReplica, type Replica } from "../../../src/replicas/replica.ts";
import { ImmediatePlacer } from "../../../src/routing/placer.ts";
import { readyReplica } from "./routing-rig.ts";

function placerOf(replicas: readonly Replica[]): ImmediatePlacer {
  const describe = () => replicas.map(describeReplica).join(", ") || "no replica is known";
  return new ImmediatePlacer({ replicas: () => replicas, describe }, { loadFactor: 1.25, loadFloor: 4 });
}

async function refusal(replicas: readonly Replica[], excluded: ReadonlyMap<string, string>): Promise<GatewayError> {
  const outcome = await placerOf(replicas).place({ purpose: "build", key: undefined, excluded });
  if (outcome.t !== "refused") throw new Error(`placed on ${outcome.replicaId}`);
  return outcome.error;
}

test("a build is placed at once", async () => {
  const placer = placerOf([readyReplica("a", 1), readyReplica("b")]);
  expect(await placer.place({ purpose: "build", key: undefined, excluded: new Map() })).toEqual({
    t: "placed",
    replicaId: "b",
    reason: "least loaded",
  });
});

test("a refusal names each replica and why it is out, once", async () => {
  const replicas: Replica[] = [
    { ...readyReplica("a"), state: { t: "ejected", sinceMs: 0, reason: "connect ECONNREFUSED 10.0.0.7:1234" } },
    { ...readyReplica("b"), state: { t: "draining", sinceMs: 0, reason: "GOAWAY 0" } },
    { ...readyReplica("c"), state: { t: "connecting", sinceMs: 0 } },
  ];
  const error = await refusal(replicas, new Map([["a", "connect ECONNREFUSED 10.0.0.7:1234"]]));
  expect(error.kind).toBe("no_replica");
  expect(error.message).toBe(
    "no replica takes builds: a: ejected (connect ECONNREFUSED 10.0.0.7:1234), b: draining (GOAWAY 0), c: connecting",
  );
});

test("a replica that passes its checks but could not be connected to is named with what happened", async () => {
  const error = await refusal([readyReplica("a")], new Map([["a", "no HTTP/2 SETTINGS within 10000 ms"]]));
  expect(error.message).toBe(
    "no replica takes builds: a: ready; could not connect to a (no HTTP/2 SETTINGS within 10000 ms)",
  );
});

test("a refusal without any replica says so", async () => {
  expect((await refusal([], new Map())).message).toBe("no replica takes builds: no replica is known");
});
