import { maxOpenFiles } from "../base/open-files.ts";

/** What a connected client takes: its own socket, and that to its replica. */
const FILES_PER_CLIENT = 2;

/** Kept for everything else: health checks, admin port, certificates; of a small bound a quarter. */
const OTHER_FILES = 256;

/**
 * Clients that may be connected at once: `limits.connections`, or as many as
 * the process may open files for. More would be accepted only to find that no
 * replica can be connected to.
 */
export function connectionRoom(connections: number, openFiles = maxOpenFiles()): number {
  if (openFiles === undefined) return connections;
  const others = Math.min(OTHER_FILES, openFiles / 4);
  return Math.max(1, Math.min(connections, Math.floor((openFiles - others) / FILES_PER_CLIENT)));
}
