import { describe, expect, test } from "vitest";
import { SETTING_FLAGS } from "../../../src/config/flags.ts";
import { SETTINGS } from "../../../src/config/settings.ts";
import { runProgram as run } from "./run-program.ts";

describe("what is wrong is said in one line, with exit status 2", () => {
  test.each([
    [[], "no command given (run buildkit-gateway serve --replica tcp://host:port, or buildkit-gateway --help)"],
    [
      ["serve"],
      "no replica given: use --replica tcp://host:port, --replicas-dns name:port, --replicas-service name or --config gateway.yaml",
    ],
    [["sevre"], 'unknown command: "sevre" (did you mean serve?)'],
    [
      ["frobnicate"],
      'unknown command: "frobnicate" (commands: serve, sidecar, status, drain, explain, health, doctor, policy, trust, certs)',
    ],
    [["help", "sevre"], 'unknown command: "sevre" (did you mean serve?)'],
    [["worker"], "worker is what serve starts when workers is more than 1; it is of no use by itself"],
    [["--verison"], "unknown flag: --verison (did you mean --version?)"],
    [
      ["--replica", "tcp://a:1"],
      "unknown flag: --replica (flags follow a command: buildkit-gateway serve --replica …)",
    ],
    [["serve", "--grase", "1h"], "--grase: unknown flag (did you mean --grace?)"],
    [
      ["serve", "--replica", "a"],
      'replicas[0].address (--replica): not an address: "a" (write tcp://host:port or unix:///path)',
    ],
    [["serve", "--config", "/nonexistent"], "/nonexistent (--config): no such file or directory"],
  ])("%j", async (argv, line) => {
    expect(await run(argv)).toEqual({ status: 2, out: "", err: `buildkit-gateway: ${line}\n` });
  });
});

test("several configuration errors are listed below their number", async () => {
  const { status, err } = await run(["serve", "--replica", "a", "--grace", "300"], { BUILDKIT_GATEWAY_X: "1" });
  expect(status).toBe(2);
  expect(err.split("\n")).toEqual([
    "buildkit-gateway: 3 things are wrong with the configuration",
    "  BUILDKIT_GATEWAY_X: unknown variable",
    '  replicas[0].address (--replica): not an address: "a" (write tcp://host:port or unix:///path)',
    '  drain.grace (--grace): not a duration: "300" (write 250ms, 30s, 5m or 1h)',
    "",
  ]);
});

test("--version is the package's", async () => {
  expect(await run(["--version"])).toEqual({
    status: 0,
    out: expect.stringMatching(/^buildkit-gateway \d+\.\d+\.\d+\n$/),
    err: "",
  });
});

describe("help", () => {
  test.each([[["--help"]], [["-h"]], [["help"]]])("%j is the program's", async (argv) => {
    const { status, out, err } = await run(argv);
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toContain("Usage: buildkit-gateway COMMAND [flags]\n");
    for (const name of ["serve", "drain", "explain", "health", "certs"])
      expect(out).toMatch(new RegExp(`^  ${name} {2,}\\S`, "m"));
  });

  test.each([[["serve", "--help"]], [["help", "serve"]], [["--help", "serve"]], [["serve", "--replica", "a", "-h"]]])(
    "%j is that of serve",
    async (argv) => {
      const { status, out, err } = await run(argv);
      expect({ status, err }).toEqual({ status: 0, err: "" });
      expect(out).toContain("Usage: buildkit-gateway serve ");
    },
  );

  test("of serve names every flag, its variable and its default, within 100 columns", async () => {
    const { out } = await run(["serve", "--help"]);
    const text = out.replace(/\s+/g, " ");
    for (const { flag, path } of SETTING_FLAGS) {
      const setting = SETTINGS.find((known) => known.path === path)!;
      expect(out).toMatch(new RegExp(`^  ${flag} `, "m"));
      expect(out).toContain(`env ${setting.variable}`);
      if (setting.defaultText) expect(text).toContain(`default ${setting.defaultText.replaceAll("`", "")}`);
    }
    expect(out).toContain("env BUILDKIT_GATEWAY_CONFIG");
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test.each(["drain", "explain", "health", "certs"])("of %s is within 100 columns", async (name) => {
    const { status, out } = await run([name, "--help"]);
    expect(status).toBe(0);
    expect(out).toContain(`Usage: buildkit-gateway ${name} `);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test("of serve starts all its texts in one column", async () => {
    const { out } = await run(["serve", "--help"]);
    const flags = /\nFlags:\n(.*?)\n\n/s.exec(out)?.[1]?.split("\n") ?? [];
    const columns = flags.map((line) => /^(?: {2}--\S+(?: \S+)?)?( {2,})/.exec(line)?.[0].length);
    expect(flags.length).toBeGreaterThan(SETTING_FLAGS.length * 2);
    expect(new Set(columns).size).toBe(1);
  });
});
