import { writeFileSync } from "node:fs";
import { CONFIGURATION_DOC, configurationDoc } from "./configuration-doc.ts";
import { METRICS_DOC, metricsDoc } from "./metrics-doc.ts";

writeFileSync(CONFIGURATION_DOC, configurationDoc());
writeFileSync(METRICS_DOC, await metricsDoc());
