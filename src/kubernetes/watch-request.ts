import type { IncomingMessage } from "node:http";
import { ApiFailure } from "./api-failure.ts";
import { type ApiObject, readApiObject } from "./api-object.ts";
import { type ApiServer, sendRequest } from "./api-request.ts";
import { LineReader } from "./line-reader.ts";
import { type Resource, resourcePath, type Selection } from "./resource.ts";
import { failureOfEvent } from "./status-object.ts";

/** What to watch, and from where on. */
export interface WatchRequestOptions {
  readonly resource: Resource;
  readonly selection: Selection;
  readonly resourceVersion: string;
  /** The server ends the watch after about this long. */
  readonly timeoutSeconds: number;
  /** A watch that says nothing for this long is ended. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** One change, or a bookmark: nothing has changed up to its version. */
export type WatchEvent =
  | { readonly t: "stored" | "deleted"; readonly object: ApiObject; readonly resourceVersion: string | undefined }
  | { readonly t: "bookmark"; readonly resourceVersion: string | undefined };

/** Hears what a watch says. */
export interface WatchListener {
  /** The server has taken the watch. */
  onOpen(): void;
  /** What one read of the connection brought, in order; never empty. What it throws ends the watch. */
  onEvents(events: readonly WatchEvent[]): void;
}

/** etcd takes objects of 1.5 MiB; as JSON, with their managed fields, they may be longer. */
const MAX_EVENT_BYTES = 4 << 20;

/**
 * Watch once; resolves, with the reason for people, when the server ends it, when
 * it falls silent or when it is cut off.
 *
 * Rejects with {@link ApiFailure} where the server refuses it, then or with an ERROR
 * event, and where an event cannot be read.
 */
export async function watchOnce(
  server: ApiServer,
  options: WatchRequestOptions,
  listener: WatchListener,
): Promise<string> {
  const { resource, selection, resourceVersion, timeoutSeconds, silenceMs, signal } = options;
  const query = {
    ...selection,
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion,
    timeoutSeconds: String(timeoutSeconds),
  };
  const response = await sendRequest(server, { method: "GET", path: resourcePath(resource), query, signal });
  listener.onOpen();
  const end = readEvents(response, listener);
  let isSilent = false;
  const arm = () =>
    server.clock.after(silenceMs, () => {
      isSilent = true;
      response.destroy();
    });
  let cancel = arm();
  response.on("data", () => {
    cancel();
    cancel = arm();
  });
  try {
    const reason = await end;
    return isSilent ? `nothing was heard for ${silenceMs / 1_000}s` : reason;
  } finally {
    cancel();
    response.destroy();
  }
}

/** Resolves with the reason when the stream has ended, in whatever way. */
function readEvents(response: IncomingMessage, { onEvents }: WatchListener): Promise<string> {
  const lines = new LineReader(MAX_EVENT_BYTES);
  return new Promise((resolve, reject) => {
    response.on("data", (chunk: Buffer) => {
      const events: WatchEvent[] = [];
      let failure: unknown;
      try {
        for (const line of lines.read(chunk)) readEvent(line, events);
      } catch (reason) {
        failure = reason;
      }
      try {
        // What came before a fault is true all the same.
        if (events.length > 0) onEvents(events);
      } catch (reason) {
        failure ??= reason;
      }
      if (failure === undefined) return;
      reject(failure);
      response.destroy();
    });
    response.on("end", () => resolve("the server ended it"));
    response.on("close", () => resolve("it was cut off"));
    response.on("error", (reason) => resolve(`it was cut off: ${reason.message}`));
  });
}

/** Types of events that are not known, now or yet, are left out (kubernetes/apimachinery, watch/watch.go). */
function readEvent(line: string, events: WatchEvent[]): void {
  let event: { readonly type?: unknown; readonly object?: unknown } | null;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new ApiFailure("unreadable", "an event that is not JSON", { cause });
  }
  const { type, object } = event ?? {};
  if (type === "ERROR") throw failureOfEvent(object);
  const resourceVersion = versionOf(object);
  if (type === "BOOKMARK") events.push({ t: "bookmark", resourceVersion });
  if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") return;
  const known = readApiObject(object);
  if (!known) throw new ApiFailure("unreadable", `a ${type} event without an object`);
  events.push({ t: type === "DELETED" ? "deleted" : "stored", object: known, resourceVersion });
}

function versionOf(object: unknown): string | undefined {
  const { metadata } = (object ?? {}) as { metadata?: { resourceVersion?: unknown } };
  const version = metadata?.resourceVersion;
  return typeof version === "string" && version !== "" ? version : undefined;
}
