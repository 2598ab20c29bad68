import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { StatusEvents } from "../../../src/admin/events-route.ts";
import type { GatewayStatus } from "../../../src/admin/gateway-status.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { serveJson } from "./admin-rig.ts";

/** A gateway whose whole state is a number. */
async function start() {
  const clock = new FakeClock();
  const state = { running: 0, reads: 0 };
  const events = new StatusEvents(() => {
    state.reads++;
    return { at: String(clock.nowMs()), traffic: { connections: state.running } } as unknown as GatewayStatus;
  }, clock);
  const { send } = await serveJson(events.routes());
  const watch = async () => {
    const request = send("/events");
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.setEncoding("utf8");
    response.on("error", () => {});
    let text = "";
    response.on("data", (chunk: string) => {
      text += chunk;
    });
    const told = () => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!).traffic.connections);
    const next = async (count: number) => {
      while (told().length < count) await once(response, "data");
      return told();
    };
    return { request, response, next };
  };
  return { clock, state, events, watch };
}

test("a viewer is told the state at once, then once a second while it changes, and now and then all the same", async () => {
  const { clock, state, watch } = await start();
  const { next, response } = await watch();
  expect(response.headers["content-type"]).toBe("text/event-stream");
  expect(await next(1)).toEqual([0]);
  state.running = 1;
  clock.advance(1_000);
  expect(await next(2)).toEqual([0, 1]);
  for (let second = 0; second < 9; second++) clock.advance(1_000);
  state.running = 2;
  clock.advance(1_000);
  expect(await next(3)).toEqual([0, 1, 2]);
  for (let second = 0; second < 10; second++) clock.advance(1_000);
  expect(await next(4)).toEqual([0, 1, 2, 2]);
});

test("the state is put together once for all viewers, and not at all for none", async () => {
  const { clock, state, events, watch } = await start();
  clock.advance(60_000);
  expect(state.reads).toBe(0);
  const viewers = [await watch(), await watch(), await watch()];
  for (const { next } of viewers) await next(1);
  expect(state.reads).toBe(3);
  clock.advance(1_000);
  expect(state.reads).toBe(4);
  for (const { request } of viewers) request.destroy();
  while (events.viewers > 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(60_000);
  expect(state.reads).toBe(4);
});

test("only so many may watch", async () => {
  const { watch } = await start();
  for (let viewer = 0; viewer < 100; viewer++) await watch();
  const { response } = await watch();
  expect([response.statusCode, response.headers["retry-after"]]).toEqual([503, "10"]);
});
