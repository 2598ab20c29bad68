import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Registry } from "prom-client";
import { expect, onTestFinished, test, vi } from "vitest";
import { metricsRoutes } from "../../../src/admin/metrics-route.ts";
import { replicaMetrics } from "../../../src/admin/replica-metrics.ts";
import type { Replica } from "../../../src/replicas/replica.ts";
import { serveJson } from "./admin-rig.ts";

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function replica(id: string, host: string, state: Replica["state"]["t"] = "ready"): Replica {
  const address = { t: "tcp", host, port: 1 } as const;
  const life = { t: state, sinceMs: 0, reason: "" } as Replica["state"];
  return { id, address, state: life, identity: "", runningBuilds: 0, unconfirmedBuilds: 0 };
}

test("each replica's metrics are told with its name, and what does not answer is missing, not the others", async () => {
  const port = await serve((request, response) => {
    // As if each had a port of its own: by the address that was asked.
    if (request.headers.host!.startsWith("127.0.0.1:")) response.end("go_threads 7\n");
    else response.writeHead(503).end();
  });
  const replicas = [
    replica("a", "127.0.0.1"),
    replica("b", "localhost"),
    replica("c", "127.0.0.9"),
    replica("d", "127.0.0.1", "gone"),
  ];
  const told = await replicaMetrics([{ name: "default", fleet: { replicas: () => replicas } }], port);
  expect(told.trimEnd().split("\n").slice(2)).toEqual([
    'bkgw_replica_scrape_up{pool="default",replica="a"} 1',
    'bkgw_replica_scrape_up{pool="default",replica="b"} 0',
    'bkgw_replica_scrape_up{pool="default",replica="c"} 0',
    'go_threads{pool="default",replica="a"} 7',
  ]);
});

test("an answer without end is cut", async () => {
  const port = await serve((_request, response) => {
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
  });
  const told = await replicaMetrics([{ name: "p", fleet: { replicas: () => [replica("a", "127.0.0.1")] } }], port);
  expect(told).toContain('bkgw_replica_scrape_up{pool="p",replica="a"} 0');
});

test("however many ask at once, each replica is asked once", async () => {
  let asked = 0;
  let answer = () => {};
  const port = await serve((_request, response) => {
    asked++;
    answer = () => void response.end("go_threads 7\n");
  });
  const pools = [{ name: "p", fleet: { replicas: () => [replica("a", "127.0.0.1")] } }];
  let reads = 0;
  let allHere = () => {};
  const here = new Promise<void>((resolve) => {
    allHere = resolve;
  });
  class CountedRegistry extends Registry {
    override metrics(): Promise<string> {
      if (++reads === 5) allHere();
      return super.metrics();
    }
  }
  const routes = metricsRoutes({ registry: new CountedRegistry(), pools, replicaPort: port });
  const { send } = await serveJson(routes);
  const ask = async () => {
    const [response] = (await once(send("/metrics?replicas=1"), "response")) as [AsyncIterable<Buffer>];
    return await text(response);
  };
  const first = Promise.all(Array.from({ length: 5 }, ask));
  await here;
  await vi.waitFor(() => expect(asked).toBe(1));
  answer();
  for (const told of await first) expect(told).toContain('go_threads{pool="p",replica="a"} 7');
  expect(asked).toBe(1);
  const again = ask();
  await vi.waitFor(() => expect(asked).toBe(2));
  answer();
  expect(await again).toContain("go_threads");
});
