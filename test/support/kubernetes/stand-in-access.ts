import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ApiServerStandIn } from "./api-server.ts";

/** The files that lead a client to a stand-in. */
export interface StandInFiles {
  readonly tokenFile: string;
  readonly caFile: string;
  /** With a client's token in a file of its own. */
  readonly kubeconfig: string;
  writeToken(token: string): Promise<void>;
  remove(): Promise<void>;
}

/** Write the files that a client of a stand-in needs, in a folder of their own. */
export async function writeStandInFiles(standIn: ApiServerStandIn, namespace = "buildkit"): Promise<StandInFiles> {
  const folder = await mkdtemp(join(tmpdir(), "api-server-"));
  const [tokenFile, caFile, kubeconfig] = ["token", "ca.crt", "kubeconfig"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const writeToken = (token: string) => writeFile(tokenFile, `${token}\n`);
  await writeToken("first-token");
  await writeFile(caFile, standIn.authority);
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "stand-in", cluster: { server: standIn.url, "certificate-authority": "ca.crt" } }],
    users: [{ name: "gateway", user: { tokenFile: "token" } }],
    contexts: [{ name: "here", context: { cluster: "stand-in", user: "gateway", namespace } }],
    "current-context": "here",
  };
  await writeFile(kubeconfig, stringify(config));
  return { tokenFile, caFile, kubeconfig, writeToken, remove: () => rm(folder, { recursive: true, force: true }) };
}
