import { afterEach, beforeEach, expect, test } from "vitest";
import type { KubernetesAccess } from "../../../src/kubernetes/access.ts";
import { openAccess } from "../../../src/kubernetes/open-access.ts";
import { objectSignature, readObjectSource, writeObjectSource } from "../../../src/trust/object-source.ts";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { RequestClock } from "../../support/kubernetes/request-clock.ts";
import { type StandInFiles, writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";

let standIn: ApiServerStandIn;
let files: StandInFiles;
let access: KubernetesAccess;
beforeEach(async () => {
  standIn = await ApiServerStandIn.start();
  files = await writeStandInFiles(standIn);
  access = await openAccess({ t: "explicit", server: standIn.url, tokenFile: files.tokenFile, caFile: files.caFile });
});
afterEach(async () => {
  access.close();
  await standIn.close();
  await files.remove();
});

test.each(["configmap:buildkit/sonda-red", "secret:buildkit/own/tls.key", "configmap:a/kube-root-ca.crt/ca.crt"])(
  "%s is written as it was read",
  (text) => expect(writeObjectSource(readObjectSource(text)!)).toBe(text),
);

test("an object's signature changes with what counts of it, and stays while the API server is away", async () => {
  const put = (data: Record<string, string>, labels = {}) =>
    standIn.put("configmaps", { metadata: { name: "sonda-red", namespace: "buildkit", labels }, data });
  const { signal } = new AbortController();
  const server = { access, clock: new RequestClock() };
  const look = objectSignature(server, { kind: "configmap", namespace: "buildkit", name: "sonda-red" }, signal);
  expect(await look()).toBe("missing");
  put({ "a.crt": "one", readme: "x" });
  const first = await look();
  put({ "a.crt": "one", readme: "y" }, { changed: "yes" });
  expect(await look()).toBe(first);
  put({ "a.crt": "two", readme: "y" });
  const second = await look();
  expect(second).not.toBe(first);
  standIn.failNext("get", "cut");
  expect(await look()).toBe(second);
  standIn.forbidden.add("get configmaps");
  expect(await look()).toBe("forbidden");
});
