import { expect, test } from "vitest";
import type { RoutedCall } from "../../../src/routing/routed-call.ts";
import { TokenTraffic } from "../../../src/routing/token-traffic.ts";

/** A call that has moved so much; what it moves later can be set. */
function call(receivedBytes: number, sentBytes: number): RoutedCall & { moved: { receivedBytes: number } } {
  return { moved: { receivedBytes, sentBytes } } as RoutedCall & { moved: { receivedBytes: number } };
}

test("open calls count as they are, closed ones as they were, and no call twice", () => {
  const traffic = new TokenTraffic();
  const session = call(100, 10);
  const solve = call(7, 1);
  traffic.opened({ call: session, token: "session:s" });
  traffic.opened({ call: session, token: "session:s" });
  traffic.opened({ call: solve, token: "ref:r" });
  traffic.opened({ call: call(1_000, 1_000), token: "ref:other" });
  traffic.opened({ call: call(1_000, 1_000), token: "" });
  session.moved = { receivedBytes: 150, sentBytes: 20 } as typeof session.moved;
  expect(traffic.of(["ref:r", "session:s"])).toEqual({ receivedBytes: 157, sentBytes: 21 });
  traffic.closed(solve);
  traffic.closed(solve);
  traffic.closed(session);
  expect(traffic.of(["ref:r", "session:s"])).toEqual({ receivedBytes: 157, sentBytes: 21 });
  expect(traffic.of(["ref:unknown"])).toEqual({ receivedBytes: 0, sentBytes: 0 });
});
