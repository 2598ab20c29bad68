import { NAMESPACE } from "./service-values.ts";
import { section } from "./structure.ts";
import { textList } from "./text-list.ts";
import { flag } from "./value-types.ts";

/** The key of a label: an optional domain, a slash, and a name (kubernetes.io, "Labels and Selectors"). */
const LABEL_KEY = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** `identity`: who is building. */
export const identitySchema = section({
  trust: textList("name pattern", (text) => /^[^\s,]{1,512}$/.test(text), "write cn:runner-*, uri:spiffe://… or dns:…")
    .default([])
    .describe(
      "Whose word counts: clients whose certificate has a name that matches one of these, with `*` for any characters, may " +
        "say for whom they speak. `uri:`, `dns:`, `email:`, `ip:` and `cn:` in front ask for that kind of name; without, any " +
        "kind counts. Sidecars need it; needs `tls.clientCa`.",
    ),
  pods: section({
    namespaces: textList("namespace", (text) => NAMESPACE.test(text), "write arc-runners")
      .default([])
      .describe(
        "Namespaces whose pods are known by their address, so that a build is told apart by the pod that it comes " +
          "from. Needs a Role there: list and watch pods.",
      ),
    labels: textList("label", (text) => LABEL_KEY.test(text), "write app.kubernetes.io/name")
      .default(["actions.github.com/scale-set-name", "app.kubernetes.io/name"])
      .describe("Labels that say what a pod is one of; the first that it has counts."),
    runners: flag()
      .default(true)
      .describe(
        "Where actions-runner-controller is installed, ask its EphemeralRunners in `identity.pods.namespaces` which " +
          "repository, workflow and job runs in a pod. Needs a Role there: list and watch ephemeralrunners.",
      ),
  }),
});
