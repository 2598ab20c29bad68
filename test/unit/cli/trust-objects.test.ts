import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { type StandInFiles, writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";
import { runProgram } from "./run-program.ts";

const [ONE, TWO, THREE] = ["one", "two", "three"].map((name) => new TestAuthority(name).cert) as [
  string,
  string,
  string,
];
const base64 = (text: string) => Buffer.from(text).toString("base64");

let standIn: ApiServerStandIn;
let files: StandInFiles;
let dir: string;
let out: string;

beforeEach(async () => {
  standIn = await ApiServerStandIn.start();
  files = await writeStandInFiles(standIn);
  dir = mkdtempSync(join(tmpdir(), "objects-"));
  out = join(dir, "out.pem");
  put("configmaps", "sonda-red", { data: { "a.crt": ONE, readme: "not read" }, binaryData: { "b.der": derOf(TWO) } });
  put("secrets", "own", { data: { "ca.crt": base64(THREE), "tls.key": base64("not read") } });
});

afterEach(async () => {
  await standIn.close();
  await files.remove();
  rmSync(dir, { recursive: true });
});

function put(plural: string, name: string, content: object): void {
  standIn.put(plural, { metadata: { name, namespace: "buildkit" }, ...content });
}

/** A PEM certificate's inner base64. */
const derOf = (pem: string) => pem.replace(/-----[A-Z ]+-----|\s/g, "");

const build = (...args: string[]) =>
  runProgram(["trust", "build", "--out", out, "--kubeconfig", files.kubeconfig, ...args]);

const subjects = () => [...readFileSync(out, "utf8").matchAll(/^# (CN=[^;]*)/gm)].map(([, subject]) => subject);

test("a ConfigMap's texts and bytes and a Secret's key become one bundle, in the order given", async () => {
  const outcome = await build("--source=secret:buildkit/own/ca.crt", "--source=configmap:buildkit/sonda-red");
  expect(outcome).toEqual({ status: 0, out: `${out}: written, 3 certificates\n`, err: "" });
  expect(subjects()).toEqual(["CN=three", "CN=one", "CN=two"]);
  expect(standIn.requests.map(({ verb }) => verb)).toEqual(["get", "get"]);
});

test.each([
  ["configmap:buildkit/gone", 'configmap:buildkit/gone: error: 404: configmaps "gone" not found'],
  ["configmap:buildkit/sonda-red/c.crt", "configmap:buildkit/sonda-red/c.crt: error: the object has no such key"],
  ["configmap:buildkit/sonda-red/readme", "configmap:buildkit/sonda-red/readme: offset"],
  ["configmap:buildkit/empty", "configmap:buildkit/empty: error: no certificate in it"],
  ["configmap:buildkit/odd", "configmap:buildkit/odd: error: no certificate in it"],
])("%s is told, and the old bundle stays", async (source, line) => {
  put("configmaps", "empty", {});
  put("configmaps", "odd", { data: ["a.crt"], binaryData: { "a.crt": 7 } });
  const { status, err } = await build("--source", source);
  expect(status).toBe(1);
  expect(err).toContain(line);
  expect(existsSync(out)).toBe(false);
});

test("without the right to it, the role that gives it is printed, with all that is needed in that namespace", async () => {
  standIn.forbidden.add("get secrets");
  const { status, err } = await build("--source=secret:buildkit/own", "--source=secret:buildkit/other/ca.crt");
  expect(status).toBe(1);
  expect(err).toContain("secret:buildkit/own: error: 403: ");
  expect(err.split("to allow it, apply this role:").length).toBe(2);
  expect(err).toMatch(
    /kind: Role\n[\s\S]*resources:\n *- secrets\n *resourceNames:\n *- own\n *- other\n *verbs:\n *- get\n/,
  );
  expect(err).toContain("kind: RoleBinding");
});

test("an API server that is away is one line", async () => {
  await standIn.close();
  const { status, err } = await build("--source=configmap:buildkit/sonda-red");
  expect(status).toBe(1);
  expect(err).toMatch(
    /^configmap:buildkit\/sonda-red: error: 127\.0\.0\.1:\d+: connect ECONNREFUSED.*\n.*stays as it was/,
  );
  await standIn.listen(0);
});

test.each([
  [["--source=configmap:sonda-red"], '--source: not an object: "configmap:sonda-red"'],
  [["--source=secret:a/b/c/d"], '--source: not an object: "secret:a/b/c/d"'],
  [["--source=secret:../b"], '--source: not an object: "secret:../b"'],
  [["--source=configmap:a/b"], "--kubeconfig: is needed outside a cluster"],
  [["--source=x.pem", "--context=c"], "--context: needs --kubeconfig"],
])("a wrong command line is refused: %j", async (args, message) => {
  const { status, err } = await runProgram(["trust", "build", "--out", out, ...args]);
  expect({ status, err }).toEqual({ status: 2, err: expect.stringContaining(message) });
});

test("inject takes its bundle from a key, and puts it in its place", async () => {
  const toml = join(dir, "buildkitd.toml");
  const inject = (bundle: string, ...args: string[]) =>
    runProgram(
      [
        "trust",
        "inject",
        "--for=buildkitd",
        "--registry=harbor",
        "--out",
        toml,
        "--kubeconfig",
        files.kubeconfig,
      ].concat(["--bundle", bundle, ...args]),
    );
  const bundle = "configmap:buildkit/sonda-red/a.crt";
  expect(await inject(bundle, "--place", out)).toMatchObject({ status: 0, err: "" });
  expect(readFileSync(out, "utf8")).toBe(ONE);
  expect(readFileSync(toml, "utf8")).toContain(`ca = ["${out}"]`);
  expect((await inject(bundle)).err).toContain("--place: is needed where the bundle is an object");
  expect((await inject("configmap:buildkit/sonda-red", "--place", out)).err).toContain("--bundle: name the key");
  standIn.forbidden.add("get configmaps");
  const refused = await inject(bundle, "--place", out);
  expect(refused).toMatchObject({
    status: 1,
    err: expect.stringContaining("to allow it, apply this role:\napiVersion"),
  });
});
