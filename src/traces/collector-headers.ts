import { blameSetting } from "../base/blame-setting.ts";
import { readBoundedNow } from "../base/bounded-file.ts";

/** Largest file that is read, and most headers in it. */
const MAX_BYTES = 16_384;
const MAX_HEADERS = 32;

/**
 * The headers of `traces.headersFile`, `name: value` in each line; empty lines, and
 * those that begin with `#`, are left out. Read anew at each use, so that a token
 * can be changed while the gateway runs.
 *
 * Rejects with an Error that names the setting and the line, and nothing of what it holds.
 */
export async function readCollectorHeaders(path: string): Promise<Record<string, string>> {
  const text = await blameSetting("traces.headersFile", async () => readBoundedNow(path, MAX_BYTES).toString("latin1"));
  const headers: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, name, value] = /^([\w!#$%&'*+.^`|~-]{1,128}):[ \t]*([\x20-\x7e\t]*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw new Error(`traces.headersFile: line ${index + 1} of ${path} is not "name: value"`);
    }
    headers[name.toLowerCase()] = value;
  }
  const count = Object.keys(headers).length;
  if (count > MAX_HEADERS) throw new Error(`traces.headersFile: ${count} headers in ${path}, more than ${MAX_HEADERS}`);
  return headers;
}
