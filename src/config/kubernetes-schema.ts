import { NAMESPACE } from "./service-values.ts";
import { isGiven, section } from "./structure.ts";
import { flag, quote, value, word } from "./value-types.ts";

/** `kubernetes`: the API server that is asked, where something asks one. By default that of the cluster the gateway runs in. */
export const kubernetesSchema = section(
  {
    kubeconfig: word("file").optional().meta({
      description: "Kubeconfig file that says which API server to ask, and how. Needed outside a cluster only.",
      defaultText: "the pod's own access",
    }),
    context: word("context")
      .optional()
      .meta({ description: "Context of the kubeconfig file.", defaultText: "its current one" }),
    server: word("address")
      .optional()
      .describe("Address of the API server, `https://host:port`, in place of a kubeconfig file."),
    tokenFile: word("file")
      .optional()
      .describe("File with the bearer token for `kubernetes.server`. Read again for each request."),
    caFile: word("file").optional().meta({
      description: "Authorities that may have signed the certificate of `kubernetes.server`, PEM.",
      defaultText: "the system's",
    }),
    namespace: value("namespace", (input) => {
      if (typeof input === "string" && NAMESPACE.test(input)) return input;
      throw new Error(`not a namespace: ${quote(input)}`);
    })
      .optional()
      .meta({
        description: "Namespace of Services that are given without one.",
        defaultText: "the pod's own, or the context's",
      }),
    deletionCost: flag()
      .default(false)
      .describe(
        "Keep `controller.kubernetes.io/pod-deletion-cost` on the replicas' pods, so that a ReplicaSet that is scaled " +
          "down gives up idle and cold ones first. Needs `replicasService`, and a Role: patch pods.",
      ),
  },
  (keys, report) => {
    if (isGiven(keys.kubeconfig) && isGiven(keys.server)) report("server", "stands in the kubeconfig file already");
    if (isGiven(keys.context) && !isGiven(keys.kubeconfig)) report("context", "needs kubernetes.kubeconfig");
    for (const key of ["tokenFile", "caFile"]) {
      if (isGiven(keys[key]) && !isGiven(keys.server)) report(key, "needs kubernetes.server");
    }
  },
);
