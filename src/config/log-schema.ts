import { LOG_LEVELS } from "../base/log.ts";
import { section } from "./structure.ts";
import { choice } from "./value-types.ts";

/** `log`: what is told. */
export const logSchema = section({
  level: choice(LOG_LEVELS)
    .default("info")
    .describe("Least severe event that is logged, on standard error: as JSON, and at a terminal as text."),
});
