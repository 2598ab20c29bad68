import { describe, expect, test } from "vitest";
import { bridgeRpcs, controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { defaultFacts } from "../../../src/replicas/default-facts.ts";

describe("what is said while no replica has ever answered", () => {
  test("names a version, and one worker for the configured platforms", () => {
    const facts = defaultFacts(["linux/arm64/v8", "linux/amd64"]);
    const version = { package: "github.com/moby/buildkit", version: "v0.13.2", revision: "" };
    expect(controlRpcs.Info.responseDeserialize(facts.infoBytes).buildkitVersion).toMatchObject(version);
    expect(controlRpcs.ListWorkers.responseDeserialize(facts.workersBytes).record).toMatchObject([
      {
        ID: "buildkit-gateway",
        platforms: [
          { OS: "linux", Architecture: "arm64", Variant: "v8" },
          { OS: "linux", Architecture: "amd64", Variant: "" },
        ],
        BuildkitVersion: version,
      },
    ]);
    expect(facts).toMatchObject({
      buildkitVersion: "v0.13.2",
      workerId: "buildkit-gateway",
      platforms: ["linux/arm64/v8", "linux/amd64"],
    });
  });

  test("is this machine's architecture by Go's name where no platform is configured", () => {
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    expect(defaultFacts([]).platforms).toEqual([`linux/${architecture}`]);
  });

  test("has the capabilities without which clients do not build, and none that came later", () => {
    const { FrontendAPICaps, LLBCaps, Workers } = bridgeRpcs.Ping.responseDeserialize(defaultFacts([]).pongBytes!);
    expect(FrontendAPICaps).toContainEqual(expect.objectContaining({ ID: "solve.base", Enabled: true }));
    expect(LLBCaps).toContainEqual(expect.objectContaining({ ID: "source.local", Enabled: true }));
    expect([FrontendAPICaps, LLBCaps].map((caps) => caps?.length)).toEqual([24, 63]);
    expect(LLBCaps?.map(({ ID }) => ID)).not.toContain("exporter.session");
    expect(Workers).toMatchObject([{ ID: "buildkit-gateway" }]);
  });
});
