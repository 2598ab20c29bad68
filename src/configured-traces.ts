import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/log.ts";
import type { Config } from "./config/schema.ts";
import type { Traces } from "./traces/traces.ts";

/**
 * Open the traces of a configuration; `undefined` where they go nowhere, and then
 * nothing of them is loaded. Rejects with an Error that names the setting.
 */
export async function openTraces({ traces }: Config, clock: Clock, log: Logger): Promise<Traces | undefined> {
  const { endpoint, headersFile, sampleRatio, serviceName, attributes, timeout, queueSpans } = traces;
  if (endpoint === undefined) return undefined;
  const loaded = await import("./traces/traces.ts");
  return await loaded.Traces.open({
    endpoint,
    headersFile,
    sampleRatio,
    serviceName,
    attributes,
    timeoutMs: timeout,
    maxSpans: queueSpans,
    clock,
    log,
  });
}
