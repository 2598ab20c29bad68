import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { openCluster, replicaService } from "../../src/configured-cluster.ts";

describe("a service of the configuration", () => {
  test.each([
    [{ name: "a" }, { namespace: "own", name: "a", port: { t: "usual" } }],
    [
      { namespace: "ci", name: "a", port: 1 },
      { namespace: "ci", name: "a", port: { t: "number", port: 1 } },
    ],
    [
      { name: "a", port: "grpc" },
      { namespace: "own", name: "a", port: { t: "name", name: "grpc" } },
    ],
  ])("%j is followed as %j", (given, followed) => {
    expect(replicaService(given, { namespace: "own" })).toEqual(followed);
  });

  test("without any namespace is refused", () => {
    expect(() => replicaService({ name: "a" }, { namespace: undefined })).toThrow(
      "replicasService: no namespace for a: write namespace/a, or set kubernetes.namespace",
    );
  });
});

test("an API server that cannot be spoken to is the setting's fault", async () => {
  const opening = openCluster({ kubernetes: { deletionCost: false, server: "k:6443" } }, systemClock);
  await expect(opening).rejects.toThrow("kubernetes");
  await expect(opening).rejects.toMatchObject({
    cause: { message: expect.stringContaining("not an API server's address") },
  });
});
