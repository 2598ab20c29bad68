import { readFile } from "node:fs/promises";
import { parse as parseToml } from "smol-toml";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { parseDuration } from "../../src/base/duration.ts";
import { loadConfig } from "../../src/config/load.ts";
import { unknownBuildkitdKeys } from "../support/deploy/buildkitd-keys.ts";
import { describeWithKubectl } from "../support/deploy/kubectl.ts";
import {
  DEPLOY_DIR,
  findObject,
  type KubeObject,
  mountedFile,
  type Part,
  podTemplate,
  renderManifests,
} from "../support/deploy/manifests.ts";

const OVERLAYS = ["cleartext", "statefulset", "mtls-secrets", "keda", "complete"];

/** What a daemon with nothing left to do takes to end, on a busy node. */
const DAEMON_END_SECONDS = 30;

/** What the builds of a replica need beside the caches in its memory. */
const BUILDS_BYTES = 4 * 2 ** 30;

const GI = 2 ** 30;

await describeWithKubectl("the settings in the manifests", (kubectl) => {
  const render = (overlay: string) => renderManifests(kubectl, `overlays/${overlay}`);

  describe.each(OVERLAYS)("of %s", (overlay) => {
    test("hold a buildkitd.toml of known keys that fits the pod", async () => {
      const objects = await render(overlay);
      const pod = podTemplate(objects, "buildkit");
      const [container] = pod.spec.containers;
      const toml: Part = parseToml(mountedFile(objects, pod, argument(container.args, "--config")));
      expect(unknownBuildkitdKeys(toml)).toEqual([]);
      expect(container.volumeMounts).toContainEqual(expect.objectContaining({ name: "state", mountPath: toml.root }));
      const ports = Object.fromEntries(container.ports.map(({ name, containerPort }: Part) => [name, containerPort]));
      expect(toml.grpc.address).toContain(`tcp://0.0.0.0:${ports.buildkit}`);
      expect(toml.grpc.debugAddress).toBe(`0.0.0.0:${ports.debug}`);
      expect(toml.worker.containerd).toEqual({ enabled: false });
      expect(toml.worker.oci).toMatchObject({ enabled: true, snapshotter: "overlayfs", noProcessSandbox: true });
      expect(toml.worker.oci["max-parallelism"]).toBe(Number(container.resources.limits.cpu));
      expect(toml.registry["docker.io"].mirrors).toEqual(["mirror.gcr.io"]);
      const paths = container.volumeMounts.map(({ mountPath }: Part) => mountPath);
      for (const folder of toml.registry["harbor.sonda.red.intra"].tlsconfigdir) expect(paths).toContain(folder);
    });

    test("keep caches and builds within the memory", async () => {
      const objects = await render(overlay);
      const pod = podTemplate(objects, "buildkit");
      const [{ resources }] = pod.spec.containers;
      expect(resources.requests.memory).toBe(resources.limits.memory);
      const volumes: Part[] = pod.spec.volumes.filter(({ emptyDir }: Part) => emptyDir?.medium === "Memory");
      const inMemory = volumes.reduce((sum, { emptyDir }) => sum + bytesOf(emptyDir.sizeLimit), 0);
      expect(bytesOf(resources.limits.memory) - inMemory).toBeGreaterThanOrEqual(BUILDS_BYTES);
      const toml: Part = parseToml(mountedFile(objects, pod, "/etc/buildkit/buildkitd.toml"));
      const { reservedSpace, maxUsedSpace } = toml.worker.oci;
      expect(bytesOf(reservedSpace)).toBeLessThan(bytesOf(maxUsedSpace));
      // What a build writes is cache only once the step has ended.
      if (volumes.length > 0) expect(bytesOf(maxUsedSpace)).toBeLessThanOrEqual(inMemory - GI);
    });

    test("keep the layers off a state that is in memory itself, or overlayfs lacks what it needs", async () => {
      const objects = await render(overlay);
      const pod = podTemplate(objects, "buildkit");
      const toml: Part = parseToml(mountedFile(objects, pod, "/etc/buildkit/buildkitd.toml"));
      const [{ volumeMounts }] = pod.spec.containers;
      const state = volumeMounts.find(({ mountPath }: Part) => mountPath === toml.root);
      const volume = pod.spec.volumes.find(({ name }: Part) => name === state.name);
      expect(volume?.emptyDir?.medium).toBeUndefined();
      for (const { name, mountPath, subPath } of volumeMounts) {
        if (name !== "layers") continue;
        expect([`${toml.root}/runc-overlayfs/snapshots/snapshots`, `${toml.root}/runc-overlayfs/content`]).toContain(
          mountPath,
        );
        expect(subPath).toBe(mountPath.split("/").at(-1));
      }
    });

    test("give the pods longer to end than they may take", async () => {
      const objects = await render(overlay);
      const replica = podTemplate(objects, "buildkit");
      const script = mountedFile(objects, replica, "/etc/buildkit/drain.sh");
      const env = variables(replica.spec.containers[0]);
      const seconds = (name: string) => Number(env[name] ?? new RegExp(`\\{${name}:-(\\d+)\\}`).exec(script)![1]);
      const holds = seconds("DRAIN_MAX") + seconds("DRAIN_ASK") + 5;
      expect(replica.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(holds + DAEMON_END_SECONDS);
      const gateway = podTemplate(objects, "buildkit-gateway");
      const { delay, grace } = gatewayFile(objects).drain;
      const endsMs = parseDuration(delay) + parseDuration(grace);
      expect(gateway.spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(endsMs);
    });

    test("are a configuration that the gateway starts with", async () => {
      const objects = await render(overlay);
      const pod = podTemplate(objects, "buildkit-gateway");
      const [container] = pod.spec.containers;
      const [command, ...argv] = container.args;
      expect(command).toBe("serve");
      const readFile = (path: string) => Buffer.from(mountedFile(objects, pod, path));
      const loaded = loadConfig({ argv, env: variables(container), readFile });
      const problems = loaded.t === "invalid" ? loaded.problems : [];
      expect(problems).toEqual([]);
    });
  });

  test("run without rights that they do not need", async () => {
    const objects = await render("complete");
    const replica = podTemplate(objects, "buildkit").spec;
    const gateway = podTemplate(objects, "buildkit-gateway").spec;
    for (const spec of [replica, gateway]) {
      expect(spec.securityContext.runAsNonRoot).toBe(true);
      expect(spec.enableServiceLinks).toBe(false);
      for (const container of [...(spec.initContainers ?? []), ...spec.containers])
        expect(container.securityContext.privileged).toBeUndefined();
    }
    expect(replica.automountServiceAccountToken).toBe(false);
    expect(replica.securityContext).toMatchObject({ runAsUser: 1_000, runAsGroup: 1_000 });
    expect(replica.containers[0].securityContext).toEqual({
      seccompProfile: { type: "Unconfined" },
      appArmorProfile: { type: "Unconfined" },
    });
    expect(gateway.securityContext).toMatchObject({ runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } });
    expect(gateway.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  test("ask for the version of the program that they belong to", async () => {
    const { version } = JSON.parse(await readFile(`${DEPLOY_DIR}/../package.json`, "utf8"));
    const [{ image }] = podTemplate(await render("cleartext"), "buildkit-gateway").spec.containers;
    expect(image).toBe(`harbor.sonda.red.intra/buildkit/buildkit-gateway:${version}`);
    expect(await readFile(`${DEPLOY_DIR}/examples/arc-runner/values.yaml`, "utf8")).toContain(`image: ${image}\n`);
  });

  test("name the Services that the README's workflow, the examples and the hook name", async () => {
    const objects = await render("complete");
    const texts = [
      ...["../README.md", "examples/arc-runner/values.yaml", "examples/workflows/remote.yaml"],
      ...["examples/workflows/mutual-tls.yaml", "base/replicas/deployment.yaml", "base/replicas/drain.sh"],
      "components/keda/scaled-object.yaml",
    ];
    for (const path of texts) {
      const text = await readFile(`${DEPLOY_DIR}/${path}`, "utf8");
      const addresses = [...text.matchAll(/\/\/([a-z-]+)\.buildkit\.svc\.cluster\.local:(\d+)/g)];
      expect(addresses, path).not.toEqual([]);
      for (const [, service, port] of addresses) {
        const ports: Part[] = findObject(objects, "Service", service!).spec.ports;
        expect(
          ports.map((one) => one.port),
          `${service} of ${path}`,
        ).toContain(Number(port));
      }
    }
    const [build] = findObject(objects, "Service", "buildkit").spec.ports;
    expect(build).toMatchObject({ name: "buildkit", port: 1234 });
  });

  test("scale by what one replica runs at once", async () => {
    const objects = await render("keda");
    const { advanced, triggers } = findObject(objects, "ScaledObject", "buildkit").spec;
    expect(Number(advanced.scalingModifiers.target)).toBe(gatewayFile(objects).maxBuilds);
    const names: string[] = triggers.map(({ name }: Part) => name);
    expect(advanced.scalingModifiers.formula.split(" + ").sort()).toEqual(names.sort());
    for (const { metadata } of triggers as Part[]) {
      // KEDA asks the pods, not the Service: its URL has the port of the pods.
      const ports: Part[] = podTemplate(objects, "buildkit-gateway").spec.containers[0].ports;
      expect(ports.map(({ containerPort }) => containerPort)).toContain(Number(new URL(metadata.url).port));
    }
  });
});

function gatewayFile(objects: readonly KubeObject[]): Part {
  const [config] = objects.filter(({ kind, data }) => kind === "ConfigMap" && data["gateway.yaml"]);
  return parseYaml(config!.data["gateway.yaml"]);
}

function argument(args: readonly string[], flag: string): string {
  return args[args.indexOf(flag) + 1]!;
}

function variables(container: Part): Record<string, string> {
  const given: Part[] = container.env.filter(({ value }: Part) => value !== undefined);
  return Object.fromEntries(given.map(({ name, value }) => [name, value]));
}

/** Bytes of a Kubernetes quantity, or of a size of buildkitd, which reads GB as GiB (go-units, RAMInBytes). */
function bytesOf(quantity: string): number {
  const [, count, unit] = /^(\d+)(Gi|GB|Mi)$/.exec(quantity)!;
  return Number(count) * (unit === "Mi" ? 2 ** 20 : GI);
}
