import { LOG_LEVELS, type LogLevel } from "../base/log.ts";
import { type AdminToken, authorizeChange } from "./admin-token.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, RequestFault, respondJson } from "./routes.ts";

/** A log whose level can be changed while it is written. */
export interface AdjustableLog {
  level(): string;
  setLevel(level: LogLevel): void;
}

/** `GET /log` tells the level of the log; `PUT /log?level=debug` changes it, with the token or over the unix socket. */
export function logRoute(log: AdjustableLog, token: AdminToken | undefined): AdminRoutes {
  return {
    "/log": {
      methods: ["GET", "PUT"],
      handle: async (request, response) => {
        const { level } = readQuery(request.query, request.method === "PUT" ? ["level"] : []);
        if (request.method === "PUT") {
          const wanted = LOG_LEVELS.find((known) => known === level);
          if (wanted === undefined) throw new RequestFault(400, `level must be one of ${LOG_LEVELS.join(", ")}`);
          await authorizeChange(request, token);
          log.setLevel(wanted);
        }
        respondJson(response, 200, { level: log.level() });
      },
    },
  };
}
