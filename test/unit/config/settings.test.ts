import { describe, expect, test } from "vitest";
import { CONFIG_VARIABLE, SETTING_FLAGS } from "../../../src/config/flags.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { ANY_NAME, SETTINGS } from "../../../src/config/settings.ts";

test.each(SETTINGS.map((setting) => [setting.path, setting] as const))("%s has a description", (_path, setting) => {
  expect(setting.description).toMatch(/^[A-Z`].*\.$/s);
});

test.each([
  ["listen", "BUILDKIT_GATEWAY_LISTEN"],
  ["replicasDns", "BUILDKIT_GATEWAY_REPLICAS_DNS"],
  ["drain.grace", "BUILDKIT_GATEWAY_DRAIN_GRACE"],
  ["tls.clientCa", "BUILDKIT_GATEWAY_TLS_CLIENT_CA"],
  ["limits.replicaHeaderListBytes", "BUILDKIT_GATEWAY_LIMITS_REPLICA_HEADER_LIST_BYTES"],
])("the variable of %s is %s", (path, variable) => {
  expect(SETTINGS.find((setting) => setting.path === path)?.variable).toBe(variable);
});

test("no two settings share a variable, and none has that of the file", () => {
  const variables = [CONFIG_VARIABLE, ...SETTINGS.flatMap(({ variable }) => variable ?? [])];
  expect(new Set(variables).size).toBe(variables.length);
});

test("what is below a chosen name has neither variable nor flag", () => {
  const below = SETTINGS.filter(({ keys }) => keys.includes(ANY_NAME));
  expect(below.map(({ path }) => path)).toContain("pools.<name>.listen");
  expect(below.filter(({ variable, flag }) => variable ?? flag)).toEqual([]);
});

test("every flag sets a setting", () => {
  const paths = SETTINGS.map(({ path }) => path);
  for (const { path } of SETTING_FLAGS) expect(paths).toContain(path);
});

describe("every documented default reads back as itself", () => {
  const documented = SETTINGS.flatMap(({ path, variable, defaultText }) => {
    const value = /^`([^`]+)`$/.exec(defaultText ?? "")?.[1];
    return value === undefined || variable === undefined ? [] : [[path, variable, value] as const];
  });

  test.each(documented)("%s", (_path, variable, value) => {
    const load = (env: Record<string, string>) =>
      loadConfig({ argv: ["--replica", "tcp://a:1"], env, readFile: () => Buffer.alloc(0) });
    expect(load({ [variable]: value })).toEqual(load({}));
  });
});
