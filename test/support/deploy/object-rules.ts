import type { YourObject } from "./documented-objects.ts";
import { type KubeObject, type Part, type PodTemplate, podTemplates, selects } from "./manifests.ts";

/** Selectors that choose nothing, or more than they mean. */
export function selectorProblems(objects: readonly KubeObject[]): string[] {
  const pods = podTemplates(objects);
  const problems: string[] = [];
  for (const { owner, labels } of pods) {
    if (!selects(owner.spec.selector.matchLabels, labels))
      problems.push(`${nameOf(owner)}: does not select its own pods`);
  }
  for (const object of objects) {
    if (object.kind === "Service") {
      const chosen = podsOf(pods, object.spec.selector);
      // Pods of a Deployment that is there already (docs/migration.md).
      const isForeign =
        object.metadata.name === "buildkit-replicas" && pods.every(({ labels }) => labels.app !== "buildkit");
      if (chosen.length !== 1 && !isForeign)
        problems.push(`${nameOf(object)}: selects the pods of ${chosen.length} workloads`);
    }
    if (object.kind === "ServiceMonitor") {
      const services = servicesOf(objects, object);
      if (services.length !== 1) problems.push(`${nameOf(object)}: selects ${services.length} Services`);
    }
    if (object.kind === "PodMonitor" && podsOf(pods, object.spec.selector.matchLabels).length !== 1)
      problems.push(`${nameOf(object)}: selects no pods`);
  }
  return problems;
}

/** Ports that are named or numbered where no container has them. */
export function portProblems(objects: readonly KubeObject[]): string[] {
  const pods = podTemplates(objects);
  const problems: string[] = [];
  const check = (who: string, port: string | number, pod: PodTemplate) => {
    const isThere = containerPorts(pod).some(({ name, containerPort }) => port === name || port === containerPort);
    if (!isThere) problems.push(`${who}: no port ${port} in the pods of ${nameOf(pod.owner)}`);
  };
  for (const pod of pods) {
    for (const container of pod.spec.containers) {
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
        const port = container[probe]?.httpGet?.port ?? container[probe]?.grpc?.port;
        if (port !== undefined) check(`${nameOf(pod.owner)}: ${probe}`, port, pod);
        else if (!container[probe]?.exec) problems.push(`${nameOf(pod.owner)}: no ${probe}`);
      }
    }
  }
  for (const object of objects) {
    if (object.kind === "Service") {
      for (const pod of podsOf(pods, object.spec.selector))
        for (const { targetPort, port } of object.spec.ports) check(nameOf(object), targetPort ?? port, pod);
    }
    if (object.kind === "ServiceMonitor") {
      const names: Part[] = servicesOf(objects, object).flatMap(({ spec }) => spec.ports.map(({ name }: Part) => name));
      for (const { port } of object.spec.endpoints)
        if (!names.includes(port)) problems.push(`${nameOf(object)}: its Service has no port ${port}`);
    }
    if (object.kind === "PodMonitor") {
      for (const pod of podsOf(pods, object.spec.selector.matchLabels))
        for (const { port } of object.spec.podMetricsEndpoints) check(nameOf(object), port, pod);
    }
  }
  return problems;
}

/** Secrets, ConfigMaps, ServiceAccounts and volumes that are used and neither made here nor said to be the operator's. */
export function referenceProblems(objects: readonly KubeObject[], yours: readonly YourObject[]): string[] {
  const made = new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`));
  // cert-manager makes these.
  for (const { kind, spec } of objects) if (kind === "Certificate") made.add(`Secret ${spec.secretName}`);
  const isThere = (name: string) => made.has(name) || yours.some((object) => `${object.kind} ${object.name}` === name);
  const specs: { owner: KubeObject; spec: Part }[] = [
    ...podTemplates(objects),
    ...objects.filter(({ kind }) => kind === "Pod").map((owner) => ({ owner, spec: owner.spec })),
  ];
  return specs.flatMap(({ owner, spec }) => {
    const claims: Part[] = owner.spec.volumeClaimTemplates ?? [];
    const volumes = [...spec.volumes.map(({ name }: Part) => name), ...claims.map(({ metadata }) => metadata.name)];
    const containers: Part[] = [...(spec.initContainers ?? []), ...spec.containers];
    const mounts = containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }: Part) => name));
    const needed = spec.volumes.flatMap(({ secret, configMap }: Part) => [
      ...(secret ? [`Secret ${secret.secretName}`] : []),
      ...(configMap ? [`ConfigMap ${configMap.name}`] : []),
    ]);
    if (spec.serviceAccountName) needed.push(`ServiceAccount ${spec.serviceAccountName}`);
    return [
      ...needed.filter((name: string) => !isThere(name)).map((name: string) => `${nameOf(owner)}: no ${name}`),
      ...mounts.filter((name) => !volumes.includes(name)).map((name) => `${nameOf(owner)}: no volume ${name}`),
      ...volumes.filter((name) => !mounts.includes(name)).map((name) => `${nameOf(owner)}: volume ${name} is not used`),
      ...containers
        .filter(({ image }) => !/:v?\d/.test(image))
        .map(({ image }) => `${nameOf(owner)}: ${image} has no version`),
    ];
  });
}

function nameOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

function podsOf(pods: readonly PodTemplate[], selector: Readonly<Record<string, string>>): PodTemplate[] {
  return pods.filter(({ labels }) => selects(selector, labels));
}

function servicesOf(objects: readonly KubeObject[], monitor: KubeObject): KubeObject[] {
  return objects.filter(
    ({ kind, metadata }) => kind === "Service" && selects(monitor.spec.selector.matchLabels, metadata.labels ?? {}),
  );
}

function containerPorts(pod: PodTemplate): { readonly name: string; readonly containerPort: number }[] {
  return pod.spec.containers.flatMap(({ ports }: Part) => ports);
}
