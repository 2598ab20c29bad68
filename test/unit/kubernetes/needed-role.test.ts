import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { neededRole } from "../../../src/kubernetes/needed-role.ts";
import { forbidden } from "../../support/kubernetes/status-bodies.ts";
import { STORED_TYPES } from "../../support/kubernetes/stored-object.ts";

const SLICES = { group: "discovery.k8s.io", version: "v1", name: "endpointslices" };

/** The message of a real refusal. */
function refusalOf(user: string): string {
  return (forbidden(STORED_TYPES[0]!, "list", user, "buildkit").body as { message: string }).message;
}

function documents(yaml: string): unknown[] {
  return parseAllDocuments(yaml).map((document) => document.toJS());
}

test("a role and its binding name the account that was refused", () => {
  const refusal = refusalOf("system:serviceaccount:ci:gateway");
  const [role, binding] = documents(neededRole({ ...SLICES, namespace: "buildkit" }, ["list", "watch"], refusal));
  const metadata = { name: "buildkit-gateway-endpointslices.discovery.k8s.io", namespace: "buildkit" };
  expect(role).toEqual({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata,
    rules: [{ apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] }],
  });
  expect(binding).toEqual({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
    subjects: [{ kind: "ServiceAccount", name: "gateway", namespace: "ci" }],
  });
});

test("for all namespaces it is a cluster role", () => {
  const [role, binding] = documents(neededRole(SLICES, ["list"], "403"));
  expect(role).toMatchObject({ kind: "ClusterRole" });
  expect(binding).toMatchObject({ kind: "ClusterRoleBinding", roleRef: { kind: "ClusterRole" } });
});

test("a person is bound as a user", () => {
  const [, binding] = documents(neededRole(SLICES, ["list"], refusalOf("jane@acme.example")));
  expect(binding).toMatchObject({ subjects: [{ kind: "User", name: "jane@acme.example" }] });
});
