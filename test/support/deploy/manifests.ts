import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { mustRun } from "../lab/command.ts";

/** The folder with everything that `kubectl apply -k` takes. */
export const DEPLOY_DIR = fileURLToPath(new URL("../../../deploy", import.meta.url));

/** Every folder of `deploy` that is applied as it is. */
export const KUSTOMIZATIONS: readonly string[] = [
  "base",
  ...readdirSync(`${DEPLOY_DIR}/overlays`).map((name) => `overlays/${name}`),
  "examples/arc-runner",
  "examples/buildx-kubernetes-driver",
];

/** Every component, by its folder's name. */
export const COMPONENTS: readonly string[] = readdirSync(`${DEPLOY_DIR}/components`);

/** A part of a manifest: whoever reads it knows what to expect there. */
// biome-ignore lint/suspicious/noExplicitAny: the schema check has seen it before.
export type Part = any;

/** One object of a rendered kustomization. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [field: string]: Part;
}

/** What a pod is made from, and where it stands. */
export interface PodTemplate {
  readonly owner: KubeObject;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Part;
}

/** Render a folder, named from `deploy` on or by its absolute path, as `kubectl apply -k` does. */
export async function renderManifests(kubectl: string, folder: string): Promise<KubeObject[]> {
  const path = folder.startsWith("/") ? folder : `${DEPLOY_DIR}/${folder}`;
  return readManifests(await mustRun(kubectl, ["kustomize", path]));
}

/** The objects of a YAML text. */
export function readManifests(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() as KubeObject;
  });
}

/** The one object of a kind and name; throws where there is none. */
export function findObject(objects: readonly KubeObject[], kind: string, name: string): KubeObject {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** The pods that Deployments and StatefulSets make. */
export function podTemplates(objects: readonly KubeObject[]): PodTemplate[] {
  return objects
    .filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet")
    .map((owner) => ({
      owner,
      labels: owner.spec.template.metadata.labels,
      spec: owner.spec.template.spec,
    }));
}

/** The pods of one workload. */
export function podTemplate(objects: readonly KubeObject[], name: string): PodTemplate {
  const found = podTemplates(objects).find(({ owner }) => owner.metadata.name === name);
  if (!found) throw new Error(`no workload ${name}`);
  return found;
}

/** A file of a ConfigMap that a volume of the pod mounts, by its path in the first container. */
export function mountedFile(objects: readonly KubeObject[], pod: PodTemplate, path: string): string {
  const mounts: Part[] = pod.spec.containers[0].volumeMounts;
  const mount = mounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const volume = pod.spec.volumes.find(({ name }: Part) => name === mount?.name);
  if (!volume?.configMap) throw new Error(`${path} is in no ConfigMap`);
  const text = findObject(objects, "ConfigMap", volume.configMap.name).data?.[path.slice(mount.mountPath.length + 1)];
  if (text === undefined) throw new Error(`ConfigMap ${volume.configMap.name} has nothing for ${path}`);
  return text;
}

/** Whether every label of a selector is among these. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
