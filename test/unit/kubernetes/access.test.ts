import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { KubernetesAccess } from "../../../src/kubernetes/access.ts";
import { getObject, patchObject } from "../../../src/kubernetes/object-calls.ts";
import { openAccess } from "../../../src/kubernetes/open-access.ts";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { RequestClock } from "../../support/kubernetes/request-clock.ts";
import { type StandInFiles, writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";

const PODS = { group: "", version: "v1", name: "pods", namespace: "buildkit" };
const POD = { resource: PODS, name: "buildkit-0" };
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

let standIn: ApiServerStandIn;
let files: StandInFiles;
let access: KubernetesAccess | undefined;
beforeEach(async () => {
  standIn = await ApiServerStandIn.start();
  files = await writeStandInFiles(standIn);
  standIn.put("pods", { metadata: { name: "buildkit-0", namespace: "buildkit", annotations: { kept: "yes" } } });
});
afterEach(async () => {
  access?.close();
  access = undefined;
  await standIn.close();
  await files.remove();
});

const { signal } = new AbortController();

function readPod(): Promise<Readonly<Record<string, unknown>>> {
  return getObject({ access: access!, clock: new RequestClock() }, POD, signal);
}

describe("an API server is spoken to", () => {
  test("at an address with a token and an authority from files", async () => {
    const { tokenFile, caFile } = files;
    access = await openAccess({ t: "explicit", server: standIn.url, tokenFile, caFile });
    expect(await readPod()).toMatchObject({ kind: "Pod", metadata: { name: "buildkit-0" } });
  });

  test("with the token that is in the file now", async () => {
    const { tokenFile, caFile } = files;
    access = await openAccess({ t: "explicit", server: standIn.url, tokenFile, caFile });
    standIn.tokens.clear();
    standIn.tokens.add("second-token");
    await files.writeToken("second-token");
    await readPod();
    expect(standIn.requests.map(({ token }) => token)).toEqual(["second-token"]);
  });

  test("as a kubeconfig says, with a token file that is read again when it is refused", async () => {
    access = await openAccess({ t: "kubeconfig", kubeconfig: files.kubeconfig });
    expect(access.namespace).toBe("buildkit");
    await readPod();
    standIn.tokens.clear();
    standIn.tokens.add("second-token");
    await files.writeToken("second-token");
    await readPod();
    expect(standIn.requests.map(({ token }) => token)).toEqual(["first-token", "first-token", "second-token"]);
  });

  test("with the token that an exec plugin of a kubeconfig prints", async () => {
    const folder = dirname(files.kubeconfig);
    const script = join(folder, "plugin.sh");
    const credential = (token: string) =>
      JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } });
    await writeFile(script, `cat "${folder}/credential"\n`);
    await writeFile(join(folder, "credential"), credential("first-token"));
    const text = await readFile(files.kubeconfig, "utf8");
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: [script] };
    await writeFile(files.kubeconfig, text.replace("tokenFile: token", `exec: ${JSON.stringify(exec)}`));
    access = await openAccess({ t: "kubeconfig", kubeconfig: files.kubeconfig });
    await readPod();
    standIn.tokens.clear();
    standIn.tokens.add("second-token");
    await writeFile(join(folder, "credential"), credential("second-token"));
    await readPod();
    expect(standIn.requests.at(-1)!.token).toBe("second-token");
  });

  test("from within its cluster", async () => {
    const folder = dirname(files.tokenFile);
    await writeFile(join(folder, "namespace"), "ci");
    const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(standIn.port) };
    access = await openAccess({ t: "in-cluster" }, { env, folder });
    expect(access.namespace).toBe("ci");
    await readPod();
  });
});

describe("what is wrong is said before anything is asked", () => {
  const refusalOf = (options: Parameters<typeof openAccess>[0], pod?: Parameters<typeof openAccess>[1]) =>
    openAccess(options, pod).then(
      () => "none",
      (reason: Error) => reason.message,
    );

  test.each([
    ["kubernetes", "not an API server's address"],
    ["ftp://kubernetes", "not an API server's address"],
    ["https://user@kubernetes", "not an API server's address"],
    ["http://127.0.0.1:8001", "a token is not sent over cleartext"],
  ])("of the address %s", async (server, reason) => {
    expect(await refusalOf({ t: "explicit", server, tokenFile: files.tokenFile })).toContain(reason);
  });

  test("of an empty token file", async () => {
    await files.writeToken("");
    const { tokenFile } = files;
    expect(await refusalOf({ t: "explicit", server: standIn.url, tokenFile })).toBe(`no token in ${tokenFile}`);
  });

  test("of a file of authorities without one", async () => {
    const caFile = files.tokenFile;
    expect(await refusalOf({ t: "explicit", server: standIn.url, caFile })).toBe(`no certificate in ${caFile}`);
  });

  test("outside a cluster", async () => {
    const refusal = await refusalOf({ t: "in-cluster" }, { env: {}, folder: ACCOUNT });
    expect(refusal).toContain("KUBERNETES_SERVICE_HOST is not set");
  });

  test("in a pod without a token", async () => {
    const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };
    const refusal = await refusalOf({ t: "in-cluster" }, { env, folder: "/nonexistent" });
    expect(refusal).toContain("automountServiceAccountToken");
  });

  test("of a context that is not there", async () => {
    const { kubeconfig } = files;
    const refusal = await refusalOf({ t: "kubeconfig", kubeconfig, context: "away" });
    expect(refusal).toBe(`no context "away" in ${kubeconfig}: there are here`);
  });

  test("of a file that is no kubeconfig", async () => {
    const refusal = await refusalOf({ t: "kubeconfig", kubeconfig: files.caFile });
    expect(refusal).toMatch(/^(not a kubeconfig file|no current context in)/);
  });
});

describe("one object", () => {
  beforeEach(async () => {
    const { tokenFile, caFile } = files;
    access = await openAccess({ t: "explicit", server: standIn.url, tokenFile, caFile });
  });
  const patch = (body: object) => patchObject({ access: access!, clock: new RequestClock() }, POD, body, signal);

  test("is changed in parts", async () => {
    await patch({ metadata: { annotations: { new: "1" } } });
    expect(standIn.store("pods").find("buildkit", "buildkit-0")!.metadata.annotations).toEqual({
      kept: "yes",
      new: "1",
    });
  });

  test("is not changed where another has its name", async () => {
    const refused = patch({ metadata: { uid: "another", annotations: { new: "1" } } });
    await expect(refused).rejects.toMatchObject({ kind: "conflict" });
  });

  test("that is not there is missing", async () => {
    standIn.store("pods").remove("buildkit", "buildkit-0");
    await expect(readPod()).rejects.toMatchObject({ kind: "missing", message: '404: pods "buildkit-0" not found' });
  });

  test("is not read from a server that another authority has signed for", async () => {
    access?.close();
    const { tokenFile } = files;
    access = await openAccess({ t: "explicit", server: standIn.url, tokenFile });
    await expect(readPod()).rejects.toMatchObject({ kind: "unreachable" });
  });
});
