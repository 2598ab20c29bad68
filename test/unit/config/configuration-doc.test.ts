import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { CONFIGURATION_DOC, configurationDoc } from "../../support/configuration-doc.ts";

test("docs/configuration.md is what the schema generates (npx tsx test/support/generate-docs.ts)", () => {
  expect(readFileSync(CONFIGURATION_DOC, "utf8")).toBe(configurationDoc());
});

test("each example in it is a configuration", () => {
  const examples = [...configurationDoc().matchAll(/```yaml\n(.*?)```/gs)].map(([, example]) => example!);
  const results = examples.map((example) =>
    loadConfig({ argv: ["--config", "gateway.yaml"], env: {}, readFile: () => Buffer.from(example) }),
  );
  expect(results).toMatchObject([
    { t: "loaded", config: { drain: { grace: 1_800_000 }, tls: { mode: "optional" } } },
    { t: "loaded", config: { listen: [], pools: { arm64: { maxBuilds: 4 } } } },
  ]);
});
