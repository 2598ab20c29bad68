import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runStepsWrapper } from "../../../src/trust/run-steps-wrapper.ts";

const SHELLS = [["/bin/sh"], ...(existsSync("/bin/busybox") ? [["/bin/busybox", "sh"]] : [])];

let dir: string;
let bundleDir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "wrapper-"));
  bundleDir = join(dir, "step");
  mkdirSync(join(bundleDir, "rootfs"), { recursive: true });
  writeFileSync(join(dir, "ca.pem"), "a bundle\n");
  writeFileSync(join(dir, "runc"), `#!/bin/sh\necho "runc $*"\nexit 7\n`);
  chmodSync(join(dir, "runc"), 0o755);
});

afterEach(() => rmSync(dir, { recursive: true }));

/** config.json as BuildKit writes it: Go's encoding of the runtime specification, in one line. */
function spec(overrides: { args?: string[]; env?: string[]; mounts?: object[] } = {}): string {
  return `${JSON.stringify({
    ociVersion: "1.3.0",
    process: { args: overrides.args ?? ["/bin/sh", "-c", "make"], env: overrides.env ?? ["PATH=/bin"], cwd: "/" },
    root: { path: join(bundleDir, "rootfs") },
    hostname: "buildkitsandbox",
    mounts: overrides.mounts ?? [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: [{ type: "mount" }] },
  })}\n`;
}

function imageFile(path: string): void {
  const file = join(bundleDir, "rootfs", path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "of the image\n");
}

/** Run the wrapper on a config.json; what it leaves of that, and what it and runc say. */
function run(
  config: string,
  args = ["--log", "x.json", "run", "--bundle", bundleDir, "--keep", "id"],
  shell = SHELLS[0]!,
) {
  writeFileSync(join(bundleDir, "config.json"), config);
  const script = join(dir, "wrapper");
  writeFileSync(script, runStepsWrapper({ bundle: join(dir, "ca.pem"), runc: join(dir, "runc") }));
  const [file = "", ...first] = shell;
  let status = 0;
  let out = "";
  let err = "";
  try {
    out = execFileSync(file, [...first, script, ...args], { encoding: "utf8", stdio: "pipe" });
  } catch (reason) {
    ({ status, stdout: out, stderr: err } = reason as { status: number; stdout: string; stderr: string });
  }
  const after = readFileSync(join(bundleDir, "config.json"), "utf8");
  return { status, out, err, after, mounts: () => (JSON.parse(after) as { mounts: { destination: string }[] }).mounts };
}

test.each(SHELLS)(
  "a step gets the bundle, read-only, over each bundle of its image, and runc gets all else (%s %s)",
  (...shell) => {
    imageFile("/etc/ssl/certs/ca-certificates.crt");
    imageFile("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
    const { status, out, err, after, mounts } = run(
      spec(),
      undefined,
      shell.filter((word) => word !== undefined),
    );
    expect({ status, out, err }).toEqual({
      status: 7,
      out: `runc --log x.json run --bundle ${bundleDir} --keep id\n`,
      err: "",
    });
    const options = ["bind", "ro", "nosuid", "nodev", "noexec"];
    const mount = (destination: string) => ({ destination, type: "bind", source: join(dir, "ca.pem"), options });
    expect(mounts()).toEqual([
      mount("/etc/ssl/certs/ca-certificates.crt"),
      mount("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
      { destination: "/proc", type: "proc", source: "proc" },
    ]);
    expect({ ...JSON.parse(after), mounts: 0 }).toEqual({ ...JSON.parse(spec()), mounts: 0 });
    expect(existsSync(join(bundleDir, "config.json.trust"))).toBe(false);
  },
);

test("an image without a bundle, or with links in the place of one, runs as it is", () => {
  mkdirSync(join(bundleDir, "rootfs/etc"), { recursive: true });
  // Both exist outside of the image, which must not count.
  symlinkSync("/etc/ssl", join(bundleDir, "rootfs/etc/ssl"));
  symlinkSync("/etc/pki", join(bundleDir, "rootfs/etc/pki"));
  const { status, err, after } = run(spec());
  expect({ status, err, after }).toEqual({ status: 7, err: "", after: spec() });
});

test.each([
  ["update-ca-certificates", { args: ["/bin/sh", "-c", "update-ca-certificates"] }],
  ["a package of certificates", { args: ["/bin/sh", "-c", "apk add --no-cache ca-certificates curl"] }],
  ["an upgrade", { args: ["/bin/sh", "-c", "apt-get -y -q upgrade"] }],
  ["update-ca-trust", { args: ["/bin/sh", "-c", "update-ca-trust extract"] }],
  ["a step that asks for it", { env: ["PATH=/bin", "BUILDKIT_GATEWAY_TRUST=off"] }],
])("a step that renews its image's bundle runs as it is: %s", (_what, overrides) => {
  imageFile("/etc/ssl/certs/ca-certificates.crt");
  const { err, after } = run(spec(overrides));
  expect({ err, after }).toEqual({ err: "", after: spec(overrides) });
});

test.each([
  ["apt-get update", ["apt-get", "update"]],
  ["the bundle's own name", ["curl", "--cacert", "/etc/ssl/certs/ca-certificates.crt", "https://x"]],
  ["the folder of a machine's own authorities", ["cp", "ca.crt", "/usr/local/share/ca-certificates/"]],
  ["pip's upgrade of itself", ["/bin/sh", "-c", "pip install --upgrade pip"]],
  ["text that looks like the list of mounts", ["echo", '"mounts":[{', ',"mounts":[{"', '\\","mounts":[{']],
  ["letters that sed and sh know", ["echo", "& \\1 | $(reboot) `reboot` 'x' \n ü %s"]],
])("a step gets the bundle whatever its command says: %s", (_what, args) => {
  imageFile("/etc/ssl/certs/ca-certificates.crt");
  const { err, after, mounts } = run(spec({ args }));
  expect(err).toBe("");
  expect(mounts()[0]).toMatchObject({ destination: "/etc/ssl/certs/ca-certificates.crt" });
  expect(JSON.parse(after)).toMatchObject({ process: { args } });
});

test.each<[string, (config: string) => string]>([
  ["no list of mounts", (config) => config.replace('"mounts"', '"mount"')],
  ["an empty list of mounts", () => spec({ mounts: [] })],
  ["two lists of mounts", (config) => config.replace('"linux"', '"x":{"mounts":[{}]},"linux"')],
  ["another root", (config) => config.replace(/"path":"[^"]*"/, '"path":"/elsewhere"')],
  ["several lines", (config) => JSON.stringify(JSON.parse(config), null, 1)],
  ["no JSON", () => "\u0000\u0001 hello"],
  ["nothing", () => ""],
])("a config.json with %s is left alone, and the step's log says so", (_what, change) => {
  imageFile("/etc/ssl/certs/ca-certificates.crt");
  const config = change(spec());
  const { status, out, err, after } = run(config);
  expect({ status, after }).toEqual({ status: 7, after: config });
  expect(out).toContain("--keep id");
  expect(err).toBe(
    "buildkit-gateway: this step runs without the trust bundle: its config.json is not as BuildKit writes it\n",
  );
});

test("without a bundle the step runs as it is, and its log says so", () => {
  imageFile("/etc/ssl/certs/ca-certificates.crt");
  rmSync(join(dir, "ca.pem"));
  const { status, err, after } = run(spec());
  expect({ status, after }).toEqual({ status: 7, after: spec() });
  expect(err).toBe(`buildkit-gateway: this step runs without the trust bundle: no bundle at ${join(dir, "ca.pem")}\n`);
});

test.each([
  ["exec", ["--log", "x", "exec", "--process", "p.json", "id"]],
  ["delete", ["delete", "id"]],
  ["a command that only names a bundle", ["state", "--bundle", "x"]],
  ["nothing", []],
])("other uses of runc pass through: %s", (_what, args) => {
  imageFile("/etc/ssl/certs/ca-certificates.crt");
  const { status, out, err, after } = run(spec(), args);
  expect({ status, out, err, after }).toEqual({ status: 7, out: `runc ${args.join(" ")}\n`, err: "", after: spec() });
});

test("a wrapper that would run itself says so and ends", () => {
  const script = join(dir, "wrapper");
  writeFileSync(script, runStepsWrapper({ bundle: "/trust/ca.pem", runc: script }));
  chmodSync(script, 0o755);
  expect(() => execFileSync(script, ["state", "id"], { stdio: "pipe" })).toThrow("would run itself");
});

test.each(["ca.pem", "/trust/ca pem", "/trust/$(x)", "/trust/../ca.pem", "/trust/a'b", "/a|b", ""])(
  "a path that would need quoting is refused: %j",
  (bundle) => {
    expect(() => runStepsWrapper({ bundle })).toThrow(`not a plain absolute path: ${JSON.stringify(bundle)}`);
  },
);
