import { fileURLToPath } from "node:url";

/** Where packages are kept between runs: a folder of the project that git ignores. */
export const LAB_CACHE_DIR = fileURLToPath(new URL("../../../.lab", import.meta.url));
