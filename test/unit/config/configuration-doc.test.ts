import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";
import { CONFIGURATION_DOC, configurationDoc } from "../../support/configuration-doc.ts";

test("docs/configuration.md is what the schema generates (npx tsx test/support/generate-configuration-doc.ts)", () => {
  expect(readFileSync(CONFIGURATION_DOC, "utf8")).toBe(configurationDoc());
});

test("the example in it is a configuration", () => {
  const example = /```yaml\n(.*?)```/s.exec(configurationDoc())?.[1] ?? "";
  const result = loadConfig({ argv: ["--config", "gateway.yaml"], env: {}, readFile: () => Buffer.from(example) });
  expect(result).toMatchObject({ t: "loaded", config: { drain: { grace: 1_800_000 }, tls: { mode: "optional" } } });
});
