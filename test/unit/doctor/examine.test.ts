import { expect, test } from "vitest";
import { examine } from "../../../src/doctor/examine.ts";
import { SECTIONS, worstOf } from "../../../src/doctor/finding.ts";
import { fastClock, serve, target } from "./doctor-rig.ts";

const NEVER = () => new Promise<never>(() => {});
const NO_TRUST = { bundle: undefined, legs: ["gateway", "daemon", "runner"], env: {} } as const;

test("everything together ends in less than 9 s where everything hangs", async () => {
  const silent = await serve(() => {});
  const clock = fastClock(5);
  let ends = 0;
  const findings = await examine({
    target: target(silent, { authorities: [] }),
    admin: { name: "admin", ask: NEVER },
    cluster: {
      open: NEVER,
      permissions: () => [],
      services: [{ name: "replicas", namespace: "buildkit", port: { t: "usual" } }],
    },
    registries: { registries: [`127.0.0.1:${silent.port}`], toml: "", trust: NO_TRUST },
    // The deadline's own timers, and no other's, decide: what is late for a slow machine is late here too.
    clock: {
      ...clock,
      after: (delayMs, callback) =>
        clock.after(delayMs, () => {
          ends = Math.max(ends, delayMs);
          callback();
        }),
    },
  });
  expect(worstOf(findings)).toBe("failure");
  expect([...new Set(findings.map(({ section }) => section))]).toEqual([...SECTIONS]);
  expect(ends).toBeLessThanOrEqual(8_500);
});

test("what is not named is skipped with the flag that names it", async () => {
  const lookup = () => Promise.reject(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }));
  const findings = await examine({
    target: target({ t: "tcp", host: "nowhere", port: 1 }, { lookup }),
    registries: { registries: [], toml: "", trust: NO_TRUST },
    clock: fastClock(1),
  });
  const skipped = findings.filter(({ section }) => section !== "address").map(({ outcome }) => outcome);
  expect(skipped.map(({ t }) => t)).toEqual(["skipped", "skipped", "skipped", "skipped"]);
  expect(skipped.map(({ seen }) => /--\w+/.exec(seen)?.[0])).toEqual([
    "--admin",
    "--kubeconfig",
    "--registry",
    "--admin",
  ]);
});
