import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Have the runtime forget everything that nobody refers to any more; a WeakRef to it is empty afterwards. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // What a WeakRef has been asked for is kept until the end of the turn (ECMAScript, AddToKeptObjects).
  await turn();
  collect();
}
