import type { ServerResponse } from "node:http";
import type { ObjectStore, StoredChange } from "./object-store.ts";
import { apiVersionOf, type StoredObject } from "./stored-object.ts";

/** How the bytes of an event reach the network. */
export type Cutting = (event: Buffer) => readonly Buffer[];

/** Which objects a watch is about. */
export type Matching = (object: StoredObject) => boolean;

/** One watch that a client has open. */
export class WatchStream {
  readonly #response: ServerResponse;
  readonly #store: ObjectStore;
  readonly #cutting: () => Cutting;
  readonly #pending: Buffer[] = [];
  readonly #cancel: () => void;
  /** Nothing more is sent, and the connection stays. */
  isSilent = false;
  #isWriting = false;

  constructor(
    response: ServerResponse,
    store: ObjectStore,
    options: {
      readonly since: number;
      readonly matches: Matching;
      readonly cutting: () => Cutting;
      readonly timeoutMs: number;
    },
  ) {
    this.#response = response;
    this.#store = store;
    this.#cutting = options.cutting;
    response.writeHead(200, { "content-type": "application/json", "cache-control": "no-cache, private" });
    response.flushHeaders();
    response.socket?.setNoDelay(true);
    const tell = ({ type, object }: StoredChange) => {
      if (options.matches(object)) this.send(type, object);
    };
    for (const change of store.since(options.since)) tell(change);
    const cancelChanges = store.onChange(tell);
    const timer = setTimeout(() => this.end(), options.timeoutMs);
    this.#cancel = () => {
      cancelChanges();
      clearTimeout(timer);
    };
    response.once("close", this.#cancel);
  }

  send(type: string, object: object): void {
    this.sendRaw(`${JSON.stringify({ type, object })}\n`);
  }

  /** Nothing has changed up to this version. */
  bookmark(version: number): void {
    const { type } = this.#store;
    this.send("BOOKMARK", {
      kind: type.kind,
      apiVersion: apiVersionOf(type),
      metadata: { resourceVersion: String(version), creationTimestamp: null },
    });
  }

  sendRaw(text: string): void {
    if (this.isSilent) return;
    this.#pending.push(...this.#cutting()(Buffer.from(text, "utf8")));
    if (!this.#isWriting) void this.#write();
  }

  /** End it as a server does whose time is up. */
  end(): void {
    this.#cancel();
    this.#response.end();
  }

  /** End the connection in the middle. */
  cut(): void {
    this.#response.socket?.destroy();
  }

  /** Each piece in a segment of its own. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    for (let piece = this.#pending.shift(); piece; piece = this.#pending.shift()) {
      await new Promise<void>((resolve) => this.#response.write(piece, () => setImmediate(resolve)));
      if (this.#response.destroyed) break;
    }
    this.#isWriting = false;
  }
}
