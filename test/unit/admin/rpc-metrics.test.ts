import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { RpcMetrics } from "../../../src/admin/rpc-metrics.ts";

async function linesOf(tell: (metrics: RpcMetrics) => void): Promise<string[]> {
  const registry = new Registry();
  tell(new RpcMetrics(registry));
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("calls are counted by name, status and who had the last word", async () => {
  const lines = await linesOf((metrics) => {
    metrics.ended("/moby.buildkit.v1.Control/Solve", { status: 0, saidBy: "replica" }, 3_000);
    metrics.ended("/moby.buildkit.v1.Control/Solve", { status: 0, saidBy: "replica" }, 1);
    metrics.ended("/moby.buildkit.v1.Control/Prune", { status: 7, saidBy: "gateway" }, 0);
    metrics.ended("/moby.buildkit.v1.frontend.LLBBridge/Ping", { status: 1, saidBy: "client" }, 0);
  });
  expect(lines).toEqual(
    expect.arrayContaining([
      'bkgw_rpcs_total{rpc="Solve",status="OK",said_by="replica"} 2',
      'bkgw_rpcs_total{rpc="Prune",status="PERMISSION_DENIED",said_by="gateway"} 1',
      'bkgw_rpcs_total{rpc="LLBBridge",status="CANCELLED",said_by="client"} 1',
      'bkgw_rpc_duration_seconds_bucket{rpc="Solve",le="0.001"} 1',
      'bkgw_rpc_duration_seconds_bucket{rpc="Solve",le="2.5"} 1',
      'bkgw_rpc_duration_seconds_bucket{rpc="Solve",le="10"} 2',
      'bkgw_rpc_duration_seconds_bucket{rpc="Solve",le="+Inf"} 2',
      'bkgw_rpc_duration_seconds_sum{rpc="Solve"} 3.001',
      'bkgw_rpc_duration_seconds_count{rpc="Solve"} 2',
    ]),
  );
});

test("a client makes no series: paths that nobody knows are one, and so are statuses that are none", async () => {
  const lines = await linesOf((metrics) => {
    for (let call = 0; call < 1_000; call++) {
      metrics.ended(`/made.up/Method${call}`, { status: 100 + call, saidBy: "replica" }, 0);
    }
  });
  expect(lines.filter((line) => line.startsWith("bkgw_rpcs_total"))).toEqual([
    'bkgw_rpcs_total{rpc="other",status="none",said_by="replica"} 1000',
  ]);
});
