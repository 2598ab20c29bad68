import type { AdminRoute, AdminRoutes } from "./routes.ts";

/** A route that a path leads to. */
export interface FoundRoute {
  readonly route: AdminRoute;
  /** What the path has in place of the route's `<…>`, decoded; empty for an exact path. */
  readonly rest: string;
}

/** Finds routes by path: an exact one first, then the longest prefix. */
export class RouteTable {
  /** Of all routes, as they were given. */
  readonly paths: readonly string[];
  readonly #exact: ReadonlyMap<string, AdminRoute>;
  readonly #prefixes: readonly { readonly prefix: string; readonly route: AdminRoute }[];

  constructor(routes: AdminRoutes) {
    const all = Object.entries(routes);
    this.paths = all.map(([path]) => path);
    this.#exact = new Map(all.filter(([path]) => !path.endsWith(">")));
    this.#prefixes = all
      .filter(([path]) => path.endsWith(">"))
      .map(([path, route]) => ({ prefix: path.slice(0, path.lastIndexOf("<")), route }))
      .sort((one, other) => other.prefix.length - one.prefix.length);
  }

  /** The route of a path as it stands in a request, without its query. */
  find(path: string): FoundRoute | undefined {
    const exact = this.#exact.get(path);
    if (exact) return { route: exact, rest: "" };
    const below = this.#prefixes.find(({ prefix }) => path.length > prefix.length && path.startsWith(prefix));
    const rest = below && decode(path.slice(below.prefix.length));
    return rest === undefined ? undefined : { route: below!.route, rest };
  }
}

/** Undefined for what is not percent-encoded UTF-8. */
function decode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
