import { quote, value } from "./value-types.ts";

/** More processes than any machine that only moves bytes has use for. */
export const MAX_WORKERS = 64;

const AUTO = "auto";

/** A number of worker processes; `auto`, or 0, is as many as there are cores, and becomes 0. */
export function workerNumber() {
  return value(
    "number or auto",
    (input) => {
      if (input === AUTO) return 0;
      const number = typeof input === "string" && /^\d{1,15}$/.test(input) ? Number(input) : input;
      if (!Number.isSafeInteger(number) || (number as number) < 0) {
        throw new Error(`not a number of workers: ${quote(input)} (write 1, 4 or auto)`);
      }
      if ((number as number) > MAX_WORKERS) throw new Error(`too large: ${number} (at most ${MAX_WORKERS})`);
      return number as number;
    },
    (workers) => (workers === 0 ? AUTO : String(workers)),
  );
}
