import { getSystemErrorMap } from "node:util";

/** The operating system's words for an error of Node's, such as `permission denied`; undefined for any other error. */
export function systemErrorText(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("errno" in error) || typeof error.errno !== "number") return undefined;
  return getSystemErrorMap().get(error.errno)?.[1];
}

/** What went wrong, in the operating system's words where it is one of its errors, else in the error's own. */
export function errorText(error: unknown): string {
  return systemErrorText(error) ?? (error instanceof Error ? error.message : String(error));
}
