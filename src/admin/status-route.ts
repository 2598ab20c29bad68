import type { GatewayStatus } from "./gateway-status.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, respondJson } from "./routes.ts";

/** `GET /status`: the state of the gateway as JSON. */
export function statusRoute(read: () => GatewayStatus): AdminRoutes {
  return {
    "/status": {
      methods: ["GET", "HEAD"],
      handle: ({ query }, response) => {
        readQuery(query, []);
        respondJson(response, 200, read());
      },
    },
  };
}
