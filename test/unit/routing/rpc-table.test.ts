import { expect, test } from "vitest";
import { type RpcKind, rpcKind } from "../../../src/routing/rpc-table.ts";

const FACADE = new Set(["/moby.buildkit.v1.Control/Info", "/grpc.health.v1.Health/Check"]);

test.each<[string, RpcKind]>([
  ["/moby.buildkit.v1.Control/Solve", "solve"],
  ["/moby.buildkit.v1.Control/Status", "status"],
  ["/moby.buildkit.v1.Control/Session", "session"],
  ["/moby.buildkit.v1.frontend.LLBBridge/Solve", "bridge"],
  ["/moby.buildkit.v1.frontend.LLBBridge/Ping", "bridge"],
  ["/moby.buildkit.v1.frontend.LLBBridge/ExecProcess", "bridge"],
  ["/moby.buildkit.v1.frontend.LLBBridge/SomethingNew", "bridge"],
  ["/moby.buildkit.v1.Control/Info", "facade"],
  ["/grpc.health.v1.Health/Check", "facade"],
  ["/containerd.services.content.v1.Content/Info", "content"],
  ["/containerd.services.content.v1.Content/Read", "content"],
  ["/containerd.services.content.v1.Content/Status", "other"],
  ["/moby.buildkit.v1.Control/ListenBuildHistory", "other"],
  ["/moby.buildkit.v1.Control/SomethingNew", "other"],
  ["/moby.buildkit.v1.frontend.LLBBridgeTwo/Solve", "other"],
  ["/moby.buildkit.v1.control/solve", "other"],
  ["", "other"],
])("%s is %s", (path, kind) => {
  expect(rpcKind(path, FACADE)).toBe(kind);
});
