import type { ServerResponse } from "node:http";
import type { Cancel, Clock } from "../base/clock.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { readQuery } from "./query.ts";
import { type AdminRoutes, RequestFault } from "./routes.ts";

/** Those who watch at once; one more is refused. */
const MAX_VIEWERS = 100;

/** Between two looks. */
const INTERVAL_MS = 1_000;

/** Looks without news after which something is sent all the same, so that a lost connection is noticed. */
const QUIET_LOOKS = 10;

/** A viewer that has this much still to take misses a turn. */
const MAX_BEHIND_BYTES = 1 << 20;

/** A viewer that misses this many turns in a row is let go. */
const MAX_MISSED = 30;

interface Viewer {
  readonly response: ServerResponse;
  missed: number;
}

/**
 * `GET /events`: the state of the gateway as server-sent events (html.spec.whatwg.org, Server-sent events): one at
 * once, then one a second while something changes. It is put together once for all viewers, and never for none.
 */
export class StatusEvents {
  readonly #read: () => GatewayStatus;
  readonly #clock: Clock;
  readonly #viewers = new Set<Viewer>();
  #cancelLook: Cancel = () => {};
  #lastNews = "";
  #quietLooks = 0;

  constructor(read: () => GatewayStatus, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  routes(): AdminRoutes {
    return {
      "/events": {
        methods: ["GET"],
        handle: ({ query }, response) => {
          readQuery(query, []);
          this.#join(response);
        },
      },
    };
  }

  #join(response: ServerResponse): void {
    if (this.#viewers.size >= MAX_VIEWERS) {
      throw new RequestFault(503, `${MAX_VIEWERS} viewers watch already`, { "retry-after": "10" });
    }
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      // What stands between must not collect before it sends (nginx.org, X-Accel-Buffering).
      "x-accel-buffering": "no",
    });
    const viewer: Viewer = { response, missed: 0 };
    this.#viewers.add(viewer);
    response.on("error", () => {});
    response.once("close", () => this.#leave(viewer));
    response.write(`retry: 2000\n\n${eventOf(this.#read())}`);
    if (this.#viewers.size === 1) this.#lookLater();
  }

  #leave(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size === 0) this.#cancelLook();
  }

  #lookLater(): void {
    this.#cancelLook = this.#clock.after(INTERVAL_MS, () => {
      this.#look();
      if (this.#viewers.size > 0) this.#lookLater();
    });
  }

  #look(): void {
    const status = this.#read();
    const news = newsOf(status);
    this.#quietLooks++;
    if (news === this.#lastNews && this.#quietLooks < QUIET_LOOKS) return;
    this.#lastNews = news;
    this.#quietLooks = 0;
    const event = eventOf(status);
    for (const viewer of [...this.#viewers]) this.#send(viewer, event);
  }

  #send(viewer: Viewer, event: string): void {
    const { response } = viewer;
    if (response.writableLength <= MAX_BEHIND_BYTES) {
      viewer.missed = 0;
      response.write(event);
    } else if (++viewer.missed > MAX_MISSED) response.destroy();
  }
}

function eventOf(status: GatewayStatus): string {
  return `event: status\ndata: ${JSON.stringify(status)}\n\n`;
}

/** What of a state is news: ages and clocks go on by themselves. */
function newsOf(status: GatewayStatus): string {
  return JSON.stringify(status, (key, value: unknown) => (/^at$|Ms$/.test(key) ? undefined : value));
}
