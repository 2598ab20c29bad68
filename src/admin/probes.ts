import { type AdminRoutes, respondText } from "./routes.ts";

/** Whether new builds can be taken. For people: what is not as usual though they can, or why they cannot. */
export type Readiness =
  | { readonly t: "ready"; readonly note?: string }
  | { readonly t: "not_ready"; readonly reason: string };

/** What Kubernetes asks: `/healthz` (does the process serve) and `/readyz` (should it get traffic). */
export function probeRoutes(isReady: () => Readiness): AdminRoutes {
  const methods = ["GET", "HEAD"];
  return {
    "/healthz": { methods, handle: (_request, response) => respondText(response, 200, "ok") },
    "/readyz": {
      methods,
      handle: (_request, response) => {
        const readiness = isReady();
        if (readiness.t === "ready") respondText(response, 200, readiness.note ?? "ready");
        else respondText(response, 503, readiness.reason);
      },
    },
  };
}
