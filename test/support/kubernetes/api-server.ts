import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TestAuthority } from "../lab/certificates.ts";
import { listPage } from "./list-page.ts";
import { mergePatch } from "./merge-patch.ts";
import { ObjectStore } from "./object-store.ts";
import { selectorOf } from "./selectors.ts";
import * as statusBodies from "./status-bodies.ts";
import { type NewObject, STORED_TYPES, type StoredObject } from "./stored-object.ts";
import { type Cutting, WatchStream } from "./watch-stream.ts";

/** What kind of request it is, in RBAC's words. */
export type Verb = "list" | "watch" | "get" | "patch" | "create";

/** An answer in place of the usual one; or the connection is cut, nothing is said, or an answer begins and does not end. */
export type Fault = statusBodies.StatusAnswer | "cut" | "hang" | "stall";

/** One request as it came. */
export interface SeenRequest {
  readonly verb: Verb;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly token: string;
}

/**
 * Stands in for a Kubernetes API server: list, watch and patch over TLS with
 * bearer tokens, in HTTP/1.1 and JSON as a v1.30 server speaks them, and its faults.
 */
export class ApiServerStandIn {
  /** Signs its certificate; PEM. */
  readonly authority: string;
  /** Bearer tokens that it takes. */
  readonly tokens = new Set(["first-token"]);
  readonly requests: SeenRequest[] = [];
  /** Verbs that are refused, as `list endpointslices`. */
  readonly forbidden = new Set<string>();
  /** Types of which it knows nothing, by their plural. */
  readonly unknown = new Set<string>();
  /** How events are cut on their way. */
  cutting: Cutting = (event) => [event];
  /** A watch from a forgotten version is refused by its status, or accepted and ended by an event. */
  expiry: "status" | "event" = "event";
  readonly #server: Server;
  readonly #stores: ReadonlyMap<string, ObjectStore>;
  readonly #watches = new Set<WatchStream>();
  readonly #sockets = new Set<Socket>();
  readonly #faults: { readonly verb: Verb; readonly answer: Fault }[] = [];
  #continueExpiries = 0;
  #version = 1_000;

  private constructor(authority: TestAuthority) {
    const { cert, key } = authority.issue({ commonName: "kube-apiserver", names: ["127.0.0.1", "localhost"] });
    this.authority = authority.cert;
    const nextVersion = () => ++this.#version;
    this.#stores = new Map(STORED_TYPES.map((type) => [type.plural, new ObjectStore(type, nextVersion)]));
    this.#server = createServer({ cert, key }, (request, response) => void this.#answer(request, response));
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<ApiServerStandIn> {
    const standIn = new ApiServerStandIn(new TestAuthority("kubernetes"));
    await standIn.listen(0);
    return standIn;
  }

  /** Listen again after `close`, at the same port where it is given. */
  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** End all connections and listen no more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** The objects of a type. */
  store(plural: string): ObjectStore {
    return this.#stores.get(plural)!;
  }

  get version(): number {
    return this.#version;
  }

  /** Watches that are open, oldest first. */
  get watches(): readonly WatchStream[] {
    return [...this.#watches];
  }

  /** The next request of this verb gets this answer, or none. */
  failNext(verb: Verb, answer: Fault): void {
    this.#faults.push({ verb, answer });
  }

  /** Forget the history: a watch from before now is refused. */
  compact(): void {
    for (const store of this.#stores.values()) store.compact(++this.#version);
  }

  /** Go back by some versions, as a restore does; watches that are open hear no more. */
  rewind(versions: number): void {
    this.#version -= versions;
    for (const watch of this.#watches) watch.isSilent = true;
  }

  /** The next page of a list that was begun is refused. */
  expireContinue(times = 1): void {
    this.#continueExpiries = times;
  }

  /** Create or replace an object. */
  put(plural: string, object: NewObject): StoredObject {
    return this.store(plural).put(object);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, "https://api");
    const target = readTarget(url.pathname);
    const verb = verbOf(request.method!, url.searchParams, target?.name);
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const { plural = "", namespace, name = "" } = target ?? {};
    this.requests.push({ verb, plural, namespace, query: url.searchParams, token });
    const text = await readBody(request);
    const fault = this.#takeFault(verb);
    if (fault === "cut") response.socket?.destroy();
    if (fault === "stall") response.writeHead(500).write("{");
    if (typeof fault === "string") return;
    const asked = { verb, plural, namespace, name, token, query: url.searchParams, text };
    const answer = fault ?? this.#decide(asked, response);
    if (answer) respond(response, answer);
  }

  /** Undefined: it is being answered. */
  #decide(asked: Asked, response: ServerResponse): statusBodies.StatusAnswer | undefined {
    const { verb, plural, namespace, name, token, text } = asked;
    if (!this.tokens.has(token)) return statusBodies.UNAUTHORIZED;
    if (plural === "version") return { status: 200, body: { major: "1", minor: "30", gitVersion: "v1.30.0" } };
    if (verb === "create") return this.#review(plural, text);
    const store = this.#stores.get(plural);
    if (!store || this.unknown.has(plural)) return statusBodies.UNKNOWN_TYPE;
    if (this.forbidden.has(`${verb} ${plural}`)) {
      return statusBodies.forbidden(store.type, verb, OWN_NAME, namespace);
    }
    if (verb === "watch") return this.#watch(store, asked, response);
    if (verb === "list") return this.#list(store, asked);
    const object = store.find(namespace, name);
    if (!object) return statusBodies.noSuchObject(store.type, name);
    if (verb === "get") return { status: 200, body: object };
    const patch = JSON.parse(text) as { metadata?: { uid?: string } };
    const expected = patch.metadata?.uid ?? object.metadata.uid!;
    if (expected !== object.metadata.uid) {
      return statusBodies.uidConflict(store.type, name, expected, object.metadata.uid!);
    }
    return { status: 200, body: store.put(mergePatch(object, patch) as StoredObject) };
  }

  /** What a client may do, and who it is. */
  #review(plural: string, text: string): statusBodies.StatusAnswer {
    if (this.unknown.has(plural)) return statusBodies.UNKNOWN_TYPE;
    if (plural === "selfsubjectreviews") return { status: 201, body: { status: { userInfo: { username: OWN_NAME } } } };
    const { spec } = JSON.parse(text) as { spec: { resourceAttributes: { verb: string; resource: string } } };
    const { verb, resource } = spec.resourceAttributes;
    return { status: 201, body: { status: { allowed: !this.forbidden.has(`${verb} ${resource}`) } } };
  }

  #list(store: ObjectStore, { namespace, query }: Asked): statusBodies.StatusAnswer {
    const token = query.get("continue") ?? "";
    if (token !== "" && this.#continueExpiries > 0) {
      this.#continueExpiries--;
      return statusBodies.expiredContinue("fresh");
    }
    const objects = store.all().filter(selectorOf(namespace, query));
    const isSelected = query.has("labelSelector") || query.has("fieldSelector");
    const limit = Number(query.get("limit") ?? 0);
    return { status: 200, body: listPage(store.type, objects, { token, limit, version: this.#version, isSelected }) };
  }

  #watch(
    store: ObjectStore,
    { namespace, query }: Asked,
    response: ServerResponse,
  ): statusBodies.StatusAnswer | undefined {
    const since = Number(query.get("resourceVersion"));
    const isExpired = since < store.compactedVersion;
    const expired = statusBodies.expiredVersion(since, store.compactedVersion);
    if (isExpired && this.expiry === "status") return expired;
    const stream = new WatchStream(response, store, {
      since,
      matches: selectorOf(namespace, query),
      cutting: () => this.cutting,
      timeoutMs: Number(query.get("timeoutSeconds") ?? 1_800) * 1_000,
    });
    if (isExpired) {
      stream.send("ERROR", expired.body as object);
      stream.end();
      return undefined;
    }
    this.#watches.add(stream);
    response.once("close", () => this.#watches.delete(stream));
    return undefined;
  }

  #takeFault(verb: Verb): Fault | undefined {
    const index = this.#faults.findIndex((fault) => fault.verb === verb);
    return index < 0 ? undefined : this.#faults.splice(index, 1)[0]!.answer;
  }
}

/** Who its clients are. */
const OWN_NAME = "system:serviceaccount:buildkit:gateway";

/** One request, read. */
interface Asked extends SeenRequest {
  readonly name: string;
  readonly text: string;
}

function readTarget(
  path: string,
): { plural: string; namespace: string | undefined; name: string | undefined } | undefined {
  if (path === "/version") return { plural: "version", namespace: undefined, name: undefined };
  const match = /^\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/.exec(path);
  return match ? { namespace: match[1], plural: match[2]!, name: match[3] } : undefined;
}

function verbOf(method: string, query: URLSearchParams, name: string | undefined): Verb {
  if (method === "PATCH") return "patch";
  if (method === "POST") return "create";
  if (name !== undefined) return "get";
  return query.get("watch") === "true" ? "watch" : "list";
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  return text;
}

function respond(response: ServerResponse, { status, body, headers }: statusBodies.StatusAnswer): void {
  const isText = typeof body === "string";
  response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers });
  response.end(isText ? body : JSON.stringify(body));
}
