import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { GrpcReplica } from "../../support/grpc-replica.ts";
import { ApiServerStandIn } from "../../support/kubernetes/api-server.ts";
import { endpointSlice } from "../../support/kubernetes/endpoint-slice.ts";
import { writeStandInFiles } from "../../support/kubernetes/stand-in-access.ts";
import { TestAuthority } from "../../support/lab/certificates.ts";
import { listen, serve } from "../doctor/doctor-rig.ts";
import { runProgram as run } from "./run-program.ts";

async function replica(): Promise<string> {
  const started = await GrpcReplica.start();
  onTestFinished(() => started.kill());
  return `tcp://127.0.0.1:${started.address.port}`;
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "doctor-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** An admin port of a gateway whose replicas are in these states. */
async function admin(...states: readonly string[]): Promise<string> {
  const replicas = states.map((state, index) => ({
    pool: "default",
    replica: `buildkit-${index}`,
    state,
    version: "v1",
  }));
  const health = { status: states.every((state) => state === "ready") ? "ok" : "degraded", discovery: [], replicas };
  const server = createServer((request, response) =>
    response.end(request.url === "/metrics" ? "" : JSON.stringify(health)),
  );
  return `127.0.0.1:${(await listen(server)).port}`;
}

test("all well is 0, warnings alone are 3, a failure is 1", async () => {
  const addr = await replica();
  expect((await run(["doctor", "--addr", addr, "--admin", `http://${await admin("ready")}/`])).status).toBe(0);
  expect((await run(["doctor", "--addr", addr, "--admin", await admin("ready", "draining")])).status).toBe(3);
  const failed = await run(["doctor", "--addr", addr, "--admin", await admin("ready", "ejected")]);
  expect([failed.status, failed.err]).toEqual([1, ""]);
  expect(failed.out).toMatch(/^ {2}FAILED {3}replica buildkit-1 +ejected/m);
});

test("the address is --addr, else BUILDKIT_HOST, else the usual Service, and it is said which", async () => {
  const addr = await replica();
  const said = async (argv: string[], env: Record<string, string> = {}) => {
    const { out } = await run(["doctor", "--json", ...argv], env);
    return JSON.parse(out).checks[0].seen;
  };
  expect(await said(["--addr", addr], { BUILDKIT_HOST: "tcp://other:1" })).toBe(`${addr}, from --addr`);
  expect(await said([], { BUILDKIT_HOST: addr })).toBe(`${addr}, from BUILDKIT_HOST`);
  expect(await said([])).toBe(
    "tcp://buildkit.buildkit.svc.cluster.local:1234, from the default (neither --addr nor BUILDKIT_HOST)",
  );
});

test("--json is the same for machines", async () => {
  const { out } = await run(["doctor", "--addr", await replica(), "--json"]);
  const answer = JSON.parse(out);
  expect(answer).toMatchObject({ schema: 1, program: expect.stringMatching(/^buildkit-gateway \d/), result: "ok" });
  expect(
    answer.checks.map(({ section, check, result }: Record<string, string>) => `${section}: ${check}: ${result}`),
  ).toEqual([
    "address: address: ok",
    "address: name resolution: skipped",
    "address: connect: ok",
    "address: TLS or cleartext: ok",
    "address: chain: skipped",
    "address: name: skipped",
    "address: ALPN: skipped",
    "address: client certificate: skipped",
    "address: HTTP/2: ok",
    "address: gRPC health: ok",
    "address: Info: ok",
    "address: ListWorkers: ok",
    "admin: admin port: skipped",
    "cluster: API server: skipped",
    "registries: registries: skipped",
    "clock: clock: skipped",
  ]);
});

test("a registry is judged for each leg that is known", async () => {
  const { port } = await serve((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
  const toml = join(folder(), "buildkitd.toml");
  writeFileSync(toml, `[registry."localhost:${port}"]\n  http = true\n`);
  const argv = ["doctor", "--addr", await replica(), "--registry", `localhost:${port}`, "--json"];
  const { out, status } = await run([...argv, "--toml", toml]);
  const checksIn = (text: string) =>
    JSON.parse(text).checks.filter(({ section }: { section: string }) => section === "registries");
  const checks = checksIn(out);
  expect(status).toBe(1);
  expect(checks).toEqual([
    { section: "registries", check: `localhost:${port}`, result: "skipped", seen: "no TLS: plain http" },
    expect.objectContaining({ check: `localhost:${port} (gateway)`, result: "failure", fix: expect.any(String) }),
    expect.objectContaining({ check: `localhost:${port} (daemon)`, result: "ok" }),
    expect.objectContaining({ check: `localhost:${port} (runner)`, result: "failure" }),
  ]);
  // Of a daemon whose configuration is not given nothing is known.
  const without = checksIn((await run(argv)).out);
  expect(without.map(({ check }: { check: string }) => check)).not.toContain(`localhost:${port} (daemon)`);
});

test("a cluster is looked at by the Services and rights of the gateway's configuration", async () => {
  const api = await ApiServerStandIn.start();
  const files = await writeStandInFiles(api);
  onTestFinished(async () => {
    await api.close();
    await files.remove();
  });
  const endpoints = [{ address: "10.0.0.1", pod: "buildkit-0", ready: true }];
  api.put("endpointslices", endpointSlice({ name: "r-1", service: "replicas", endpoints }));
  api.put("services", {
    metadata: { name: "replicas", namespace: "buildkit" },
    spec: { selector: { app: "buildkit" } },
  });
  api.forbidden.add("watch ephemeralrunners");
  const config = join(folder(), "gateway.yaml");
  writeFileSync(
    config,
    `replicasService: [replicas]
kubernetes: { kubeconfig: ${files.kubeconfig}, deletionCost: true }
identity: { pods: { namespaces: [arc-runners] } }
`,
  );
  const { out } = await run(["doctor", "--addr", await replica(), "--config", config, "--json"]);
  const checks = JSON.parse(out).checks.filter(({ section }: { section: string }) => section === "cluster");
  expect(checks.map(({ check, result }: Record<string, string>) => [check, result])).toEqual([
    ["API server", "ok"],
    ["permission: endpointslices in buildkit", "ok"],
    ["permission: pods in buildkit", "ok"],
    ["permission: pods in arc-runners", "ok"],
    ["permission: ephemeralrunners in arc-runners", "failure"],
    ["service buildkit/replicas", "ok"],
    ["pods of buildkit/replicas", "warning"],
  ]);
  const byHand = await run([
    "doctor",
    "--addr",
    await replica(),
    "--kubeconfig",
    files.kubeconfig,
    "--service",
    "replicas",
  ]);
  expect(byHand.out).toMatch(/^ {2}ok {7}service buildkit\/replicas +1 endpoint ready/m);
});

test("what is wrong with the command line is told before anything is asked, with 2", async () => {
  const dir = folder();
  const [cert, key, other] = ["cert.pem", "key.pem", "other.pem"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const authority = new TestAuthority();
  const pair = authority.issue({ commonName: "runner" });
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key);
  writeFileSync(other, authority.issue({ commonName: "other" }).key);
  const refused = async (...argv: string[]) => {
    const { status, out, err } = await run(["doctor", ...argv]);
    expect([status, out]).toEqual([2, ""]);
    return err;
  };
  expect(await refused("--addr", "buildkit:1234")).toMatch(/--addr: not an address: "buildkit:1234"/);
  expect(await refused("--ca", "/nonexistent")).toBe(
    "buildkit-gateway: --ca: /nonexistent: no such file or directory\n",
  );
  expect(await refused("--ca", key)).toMatch(/^buildkit-gateway: --ca: .*key\.pem/);
  expect(await refused("--cert", cert)).toBe("buildkit-gateway: --cert: needs --key\n");
  expect(await refused("--cert", cert, "--key", other)).toMatch(/--cert and --key do not belong together/);
  expect(await refused("--registry", "https://harbor")).toMatch(/not a registry: "https:\/\/harbor"/);
  expect(await refused("--service", "a/b/c")).toMatch(/not a service/);
  expect(await refused("--namespace", "A")).toMatch(/not a namespace: "A"/);
  expect(await refused("--context", "here")).toMatch(/--context: needs --kubeconfig/);
  expect(await refused("--admin", "off")).toMatch(/no admin port/);
  expect(await refused("--config", "/nonexistent")).toMatch(/no such file or directory/);
  expect(await refused("--toml", "/nonexistent")).toBe(
    "buildkit-gateway: --toml: /nonexistent: no such file or directory\n",
  );
});
