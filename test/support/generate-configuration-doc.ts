import { writeFileSync } from "node:fs";
import { CONFIGURATION_DOC, configurationDoc } from "./configuration-doc.ts";

writeFileSync(CONFIGURATION_DOC, configurationDoc());
