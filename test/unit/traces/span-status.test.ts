import { SpanStatusCode } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { endingOf } from "../../../src/traces/span-status.ts";

const codeOf = (status: number, side: "client" | "server") =>
  endingOf({ status, saidBy: "replica", message: "" }, side).status.code;

test("of who asks every status but OK is an error; of who serves those that are its own", () => {
  const statuses = [-1, ...Array.from({ length: 17 }, (_, status) => status)];
  const errors = (side: "client" | "server") =>
    statuses.filter((status) => codeOf(status, side) === SpanStatusCode.ERROR);
  expect(errors("client")).toEqual(statuses.filter((status) => status !== 0));
  expect(errors("server")).toEqual([-1, 2, 4, 12, 13, 14, 15]);
});

test("the gateway's words are told, a replica's may be secret", () => {
  const lost = { status: 14, message: "replica a went away" };
  expect(endingOf({ ...lost, saidBy: "gateway" }, "server").status.message).toBe("replica a went away");
  expect(endingOf({ ...lost, saidBy: "replica" }, "server").status.message).toBeUndefined();
});

test("the status is an attribute where there is one", () => {
  expect(endingOf({ status: 0, saidBy: "replica", message: "" }, "server").attributes).toEqual({
    "rpc.grpc.status_code": 0,
  });
  expect(endingOf({ status: -1, saidBy: "replica", message: "" }, "server").attributes).toEqual({});
  expect(endingOf(undefined, "client")).toEqual({ status: { code: SpanStatusCode.UNSET }, attributes: {} });
});
