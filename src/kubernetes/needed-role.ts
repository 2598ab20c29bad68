import { stringify } from "yaml";
import { qualifiedName, type Resource } from "./resource.ts";
import { refusedUser } from "./status-object.ts";

/** Who gets a role where the refusal does not say who asked. */
const UNKNOWN_ACCOUNT = "buildkit-gateway";

/**
 * The least role that allows something, and its binding, as YAML for
 * `kubectl apply -f -`: for one namespace a Role, for all of them a ClusterRole.
 *
 * `refusal` is the server's message, which names who was refused. With `resourceNames`, only for those objects.
 */
export function neededRole(
  resource: Resource,
  verbs: readonly string[],
  refusal: string,
  resourceNames?: readonly string[],
): string {
  const { namespace } = resource;
  const prefix = namespace === undefined ? "Cluster" : "";
  const metadata = {
    name: `buildkit-gateway-${qualifiedName(resource)}`,
    ...(namespace !== undefined && { namespace }),
  };
  const role = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: `${prefix}Role`,
    metadata,
    rules: [
      { apiGroups: [resource.group], resources: [resource.name], ...(resourceNames && { resourceNames }), verbs },
    ],
  };
  const binding = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: `${prefix}RoleBinding`,
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: role.kind, name: metadata.name },
    subjects: [subjectOf(refusedUser(refusal), namespace)],
  };
  return `${stringify(role)}---\n${stringify(binding)}`;
}

function subjectOf(user: string | undefined, namespace: string | undefined): object {
  const [, ownNamespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user ?? "") ?? [];
  if (user === undefined || name !== undefined) {
    return {
      kind: "ServiceAccount",
      name: name ?? UNKNOWN_ACCOUNT,
      namespace: ownNamespace ?? namespace ?? UNKNOWN_ACCOUNT,
    };
  }
  return { kind: "User", apiGroup: "rbac.authorization.k8s.io", name: user };
}
