import { list } from "./structure.ts";
import { quote, value } from "./value-types.ts";

/** `os/architecture`, with a variant where there are several: `linux/arm64/v8`. */
const PLATFORM = /^[a-z0-9]{1,32}\/[a-z0-9_]{1,32}(?:\/[a-z0-9.]{1,32})?$/;

/** Platforms that workers build for. */
export function platformList() {
  const label = "os/architecture[/variant]";
  return list(value(label, readPlatform), { label, writeItem: String }, (platform) => [platform]);
}

function readPlatform(input: unknown): string {
  if (typeof input === "string" && PLATFORM.test(input)) return input;
  throw new Error(`not a platform: ${quote(input)} (write linux/amd64 or linux/arm64/v8)`);
}
