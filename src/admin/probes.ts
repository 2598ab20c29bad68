import { type AdminRoutes, respondText } from "./routes.ts";

/** Whether new builds can be taken, and if not, why, for people. */
export type Readiness = { readonly t: "ready" } | { readonly t: "not_ready"; readonly reason: string };

/** What Kubernetes asks: `/healthz` (does the process serve) and `/readyz` (should it get traffic). */
export function probeRoutes(isReady: () => Readiness): AdminRoutes {
  const methods = ["GET", "HEAD"];
  return {
    "/healthz": { methods, handle: (_request, response) => respondText(response, 200, "ok") },
    "/readyz": {
      methods,
      handle: (_request, response) => {
        const readiness = isReady();
        if (readiness.t === "ready") respondText(response, 200, "ready");
        else respondText(response, 503, readiness.reason);
      },
    },
  };
}
