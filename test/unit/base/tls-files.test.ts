import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readTlsFiles } from "../../../src/base/tls-files.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";

const authority = new TestAuthority();
const [one, other] = [authority.issue({ commonName: "one" }), authority.issue({ commonName: "other" })];

/** Write PEM files, each under the name of its setting, until the test ends; returns their paths. */
function files<K extends string>(contents: Record<K, string>): Record<K, string> {
  const folder = mkdtempSync(join(tmpdir(), "tls-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const paths = { ...contents };
  for (const name of Object.keys(contents) as K[]) {
    paths[name] = join(folder, name);
    writeFileSync(paths[name], contents[name]);
  }
  return paths;
}

/** The message of what is thrown, and the code of its cause. */
function faultOf(action: () => unknown): { message: string; code: unknown } {
  try {
    action();
  } catch (reason) {
    const { message, cause } = reason as Error;
    return { message, code: (cause as { code?: unknown }).code };
  }
  throw new Error("nothing was thrown");
}

test("what is given is read, authorities under either name", () => {
  const ca = Buffer.from(authority.cert);
  const [cert, key] = [Buffer.from(one.cert), Buffer.from(one.key)];
  expect(readTlsFiles("tls", {})).toEqual({});
  expect(readTlsFiles("tls", files({ clientCa: authority.cert, ...one }))).toEqual({ ca, cert, key });
  expect(readTlsFiles("replicaTls", files({ ca: authority.cert }), "buildkitd")).toEqual({
    ca,
    servername: "buildkitd",
  });
});

test.each(["ca", "clientCa", "cert", "key"])("a missing file names its setting: tls.%s", (name) => {
  expect(faultOf(() => readTlsFiles("tls", { [name]: "/nonexistent/x.pem" }))).toEqual({
    message: `tls.${name}`,
    code: "ENOENT",
  });
});

test.each(["ca", "clientCa", "cert", "key"])("a pipe or a huge file is not read, and named: tls.%s", (name) => {
  const { key: huge } = files({ key: "x".repeat(4 * 1_024 * 1_024 + 1) });
  for (const [path, reason] of [
    ["/dev/zero", "not a regular file"],
    [huge, "4194305 bytes, more than 4194304"],
  ]) {
    expect(() => readTlsFiles("tls", { [name]: path })).toThrow(
      expect.objectContaining({ message: `tls.${name}: ${path}`, cause: expect.objectContaining({ message: reason }) }),
    );
  }
});

test.each(["ca", "clientCa", "cert", "key"])(
  "a file of something else names its setting and itself: tls.%s",
  (name) => {
    const paths = files({ ...one, [name]: "nonsense" });
    expect(faultOf(() => readTlsFiles("tls", paths))).toEqual({
      message: `tls.${name}: ${(paths as Record<string, string>)[name]}`,
      code: expect.stringMatching(/^ERR_OSSL_/),
    });
  },
);

test("a key of another certificate names both settings", () => {
  expect(faultOf(() => readTlsFiles("replicaTls", files({ cert: one.cert, key: other.key })))).toEqual({
    message: "replicaTls.cert and replicaTls.key do not belong together",
    code: "ERR_OSSL_X509_KEY_VALUES_MISMATCH",
  });
});
