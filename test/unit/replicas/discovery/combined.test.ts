import { expect, test } from "vitest";
import { parseAddress } from "../../../../src/base/address.ts";
import { CombinedDiscovery } from "../../../../src/replicas/discovery/combined.ts";
import { StaticDiscovery } from "../../../../src/replicas/discovery/static.ts";
import type { Endpoint } from "../../../../src/replicas/replica.ts";

test("tells how well each of several discoveries knows what there is", () => {
  const status = { source: "a source", state: "stale", reason: "ENOTFOUND" } as const;
  const stale = { start: () => () => {}, status: () => [status] };
  expect(new CombinedDiscovery([new StaticDiscovery([]), stale, stale]).status()).toEqual([status, status]);
});

test("several discoveries are one, and what two of them name is one replica", () => {
  const at = (id: string, address: string) => ({ id, address: parseAddress(address) });
  const discovery = new CombinedDiscovery([
    new StaticDiscovery([at("one", "tcp://10.0.0.1:1"), at("two", "unix:///run/two.sock")]),
    new StaticDiscovery([at("10.0.0.1:1", "tcp://10.0.0.1:1"), at("two", "tcp://10.0.0.2:1"), at("x", "tcp://x:1")]),
  ]);
  let reported: readonly Endpoint[] = [];
  discovery.start((endpoints) => {
    reported = endpoints;
  })();
  expect(reported.map(({ id }) => id)).toEqual(["one", "two", "x"]);
  expect(reported.map(({ isTerminating }) => isTerminating)).toEqual([false, false, false]);
});
