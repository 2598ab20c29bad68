import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { yourObjects } from "../support/deploy/documented-objects.ts";
import { describeWithKubectl } from "../support/deploy/kubectl.ts";
import {
  COMPONENTS,
  DEPLOY_DIR,
  findObject,
  KUSTOMIZATIONS,
  type KubeObject,
  type Part,
  podTemplate,
  renderManifests,
} from "../support/deploy/manifests.ts";
import { portProblems, referenceProblems, selectorProblems } from "../support/deploy/object-rules.ts";
import { schemaProblems } from "../support/deploy/schema-check.ts";
import { TestAuthority } from "../support/lab/certificates.ts";
import { runProgram } from "../unit/cli/run-program.ts";

/** Components of which one holds the other. */
const NESTED: Readonly<Record<string, string>> = { "mtls-cert-manager": "mtls", keda: "deletion-cost" };

/** Listed last, as it says itself. */
const LAST = "statefulset";

await describeWithKubectl("the manifests", (kubectl) => {
  const expectSound = (objects: readonly KubeObject[]) => {
    expect(problemsOf(objects)).toEqual([]);
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
  };

  test.each(KUSTOMIZATIONS)("of %s render, and are what the API server and our own rules ask for", async (folder) => {
    expectSound(await renderManifests(kubectl, folder));
  });

  test("of every two components combine, in either order", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kustomize-"));
    try {
      for (const one of COMPONENTS) {
        for (const other of COMPONENTS.filter((name) => name > one)) {
          if (NESTED[one] === other || NESTED[other] === one) continue;
          const orders =
            one === LAST || other === LAST
              ? [[one, other].sort((a) => (a === LAST ? 1 : -1))]
              : [
                  [one, other],
                  [other, one],
                ];
          for (const components of orders) expectSound(await renderCombination(kubectl, folder, components));
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("keep the commands that operators know: scale and logs of deployment/buildkit", async () => {
    const objects = await renderManifests(kubectl, "base");
    const { spec, metadata } = findObject(objects, "Deployment", "buildkit");
    expect(metadata.namespace).toBe("buildkit");
    expect(spec.replicas).toBe(3);
    // Logs and exec take the first container, or the one that is named so.
    expect(spec.template.metadata.annotations["kubectl.kubernetes.io/default-container"]).toBe("buildkitd");
    expect(spec.template.spec.containers.map(({ name }: Part) => name)).toEqual(["buildkitd"]);
  });

  test("leave the number of replicas to KEDA", async () => {
    for (const overlay of ["keda", "complete"]) {
      const objects = await renderManifests(kubectl, `overlays/${overlay}`);
      const { scaleTargetRef } = findObject(objects, "ScaledObject", "buildkit").spec;
      const { spec } = findObject(objects, scaleTargetRef.kind ?? "Deployment", scaleTargetRef.name);
      expect(spec.replicas).toBeUndefined();
    }
  });

  test("make the StatefulSet from the Deployment, and nothing else of it", async () => {
    const objects = await renderManifests(kubectl, "overlays/statefulset");
    expect(() => findObject(objects, "Deployment", "buildkit")).toThrow();
    const stateful = findObject(objects, "StatefulSet", "buildkit").spec;
    const deployment = findObject(await renderManifests(kubectl, "base"), "Deployment", "buildkit").spec;
    const [claim] = stateful.volumeClaimTemplates;
    expect(stateful.template.metadata).toEqual(deployment.template.metadata);
    const { volumes, containers, initContainers } = stateful.template.spec;
    expect(initContainers).toEqual(deployment.template.spec.initContainers);
    const isKept = ({ name }: Part) => name !== "layers";
    const [daemon] = deployment.template.spec.containers;
    expect(containers).toEqual([
      { ...daemon, args: [...daemon.args, expect.any(String)], volumeMounts: daemon.volumeMounts.filter(isKept) },
    ]);
    const kept: Part[] = deployment.template.spec.volumes.filter(isKept);
    expect(volumes).toEqual(kept.filter(({ name }) => name !== claim.metadata.name));
    expect(kept).toHaveLength(volumes.length + 1);
  });

  test("give build steps the ConfigMap's authorities by commands that work, in places that the daemon sees", async () => {
    const folder = await mkdtemp(join(tmpdir(), "trust-"));
    try {
      const objects = await renderCombination(kubectl, folder, ["build-step-trust"]);
      const { initContainers, containers } = podTemplate(objects, "buildkit").spec;
      const [daemon] = containers;
      const argsOf = (name: string): string[] => {
        const { args }: Part = initContainers.find((container: Part) => container.name === name);
        return args.map((arg: string) => arg.replace(/=\/(trust|etc\/sonda-red)/, `=${folder}/$1`));
      };
      await mkdir(join(folder, "etc/sonda-red"), { recursive: true });
      await mkdir(join(folder, "trust"));
      const { cert } = new TestAuthority("sonda-red");
      await writeFile(join(folder, "etc/sonda-red/ca.crt"), cert);
      const build = argsOf("trust").filter((arg) => arg !== "--watch");
      for (const args of [build, argsOf("build-step-trust")])
        expect(await runProgram(args)).toMatchObject({ status: 0, err: expect.stringMatching(/^(note:.*\n)?$/) });
      expect(await readFile(join(folder, "trust/ca-certificates.crt"), "utf8")).toContain(cert);
      const wrapper = await readFile(join(folder, "trust/runc"), "utf8");
      const { mountPath, subPath } = daemon.volumeMounts.find(({ name }: Part) => name === "trust");
      expect({ mountPath, subPath }).toEqual({ mountPath: "/etc/ssl/certs", subPath: undefined });
      expect(wrapper).toContain(`bundle='${mountPath}/ca-certificates.crt'`);
      expect(daemon.args).toContain(`--oci-worker-binary=${mountPath}/runc`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("leave out only what a running BuildKit would notice, in the first step of a migration", async () => {
    const names = async (folder: string) =>
      (await renderManifests(kubectl, folder)).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    const beside = await names("overlays/beside");
    const left = (await names("overlays/cleartext")).filter((name) => !beside.includes(name));
    expect(left.sort()).toEqual([
      "Deployment buildkit",
      "NetworkPolicy buildkit",
      "NetworkPolicy default-deny",
      "Service buildkit",
    ]);
  });

  test("of the runners are a pod that the API server takes, whose parts are there", async () => {
    const values = parse(await readFile(join(DEPLOY_DIR, "examples/arc-runner/values.yaml"), "utf8"));
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "runner" }, spec: values.template.spec };
    expect(schemaProblems(pod)).toEqual([]);
    const objects = await renderManifests(kubectl, "examples/arc-runner");
    expect(referenceProblems([...objects, pod], yourObjects())).toEqual([]);
    expect(values.containerMode).toBeUndefined();
    expect(values.githubConfigSecret).toBe("github-app");
    const [sidecar] = pod.spec.initContainers;
    expect(sidecar.restartPolicy).toBe("Always");
    const [runner] = pod.spec.containers;
    const env = Object.fromEntries(runner.env.map(({ name, value }: Part) => [name, value]));
    expect(sidecar.args).toContain(`--listen=${env.BUILDKIT_HOST}`);
    expect(sidecar.args).toContain(`--identity-file=${env.BUILDKIT_IDENTITY_FILE}`);
    const hook = findObject(objects, "ConfigMap", "buildkit-job-started");
    expect(Object.keys(hook.data).map((file) => `/opt/buildkit/${file}`)).toEqual([
      env.ACTIONS_RUNNER_HOOK_JOB_STARTED,
    ]);
  });

  describe("the checks find", () => {
    test.each<{ what: string; spoil: (objects: KubeObject[]) => void; problem: RegExp }>([
      {
        what: "a field that Kubernetes does not know",
        spoil: (objects) => {
          container(objects, "buildkit").readinesProbe = {};
        },
        problem: /^Deployment buildkit: unknown field .*containers\.0\.readinesProbe$/,
      },
      {
        what: "a value of the wrong type",
        spoil: (objects) => {
          findObject(objects, "Deployment", "buildkit").spec.replicas = "three";
        },
        problem: /^Deployment buildkit: data\/spec\/replicas must be integer/,
      },
      {
        what: "a field of KEDA that is none",
        spoil: (objects) => {
          findObject(objects, "ScaledObject", "buildkit").spec.advanced.scalingModifiers.formulas = "";
        },
        problem: /^ScaledObject buildkit: unknown field .*scalingModifiers\.formulas$/,
      },
      {
        what: "a kind without a schema",
        spoil: (objects) => {
          objects.push({ apiVersion: "v1", kind: "Deploiment", metadata: { name: "buildkit" } });
        },
        problem: /^Deploiment buildkit: no schema for v1 Deploiment$/,
      },
      {
        what: "a Service that selects nothing",
        spoil: (objects) => {
          findObject(objects, "Service", "buildkit").spec.selector = { app: "gateway" };
        },
        problem: /^Service buildkit: selects the pods of 0 workloads$/,
      },
      {
        what: "a Service that leads to another port",
        spoil: (objects) => {
          findObject(objects, "Service", "buildkit").spec.ports[0].targetPort = "grpc";
        },
        problem: /^Service buildkit: no port grpc in the pods of Deployment buildkit-gateway$/,
      },
      {
        what: "a probe of a port that nobody listens on",
        spoil: (objects) => {
          container(objects, "buildkit").livenessProbe.grpc.port = 1235;
        },
        problem: /^Deployment buildkit: livenessProbe: no port 1235/,
      },
      {
        what: "a Secret that nobody makes",
        spoil: (objects) => {
          const { volumes } = findObject(objects, "Deployment", "buildkit").spec.template.spec;
          volumes[1] = { name: volumes[1].name, secret: { secretName: "sonda-blue" } };
        },
        problem: /^Deployment buildkit: no Secret sonda-blue$/,
      },
      {
        what: "an image without a version",
        spoil: (objects) => {
          container(objects, "buildkit-gateway").image = "harbor.sonda.red.intra/buildkit/buildkit-gateway";
        },
        problem: /^Deployment buildkit-gateway: .* has no version$/,
      },
    ])("$what", async ({ spoil, problem }) => {
      const objects = await renderManifests(kubectl, "overlays/keda");
      spoil(objects);
      expect(problemsOf(objects)).toEqual([expect.stringMatching(problem)]);
    });
  });
});

/** All that is wrong with manifests. */
function problemsOf(objects: readonly KubeObject[]): string[] {
  return [
    ...objects.flatMap(schemaProblems),
    ...selectorProblems(objects),
    ...portProblems(objects),
    ...referenceProblems(objects, yourObjects()),
  ];
}

function container(objects: readonly KubeObject[], deployment: string): Part {
  return findObject(objects, "Deployment", deployment).spec.template.spec.containers[0];
}

async function renderCombination(
  kubectl: string,
  folder: string,
  components: readonly string[],
): Promise<KubeObject[]> {
  const deploy = relative(folder, DEPLOY_DIR);
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [`${deploy}/base`],
    components: components.map((name) => `${deploy}/components/${name}`),
  };
  // YAML takes JSON.
  await writeFile(join(folder, "kustomization.yaml"), JSON.stringify(kustomization));
  return await renderManifests(kubectl, folder);
}
