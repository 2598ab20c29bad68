import { expect, test } from "vitest";
import { GatewayError } from "../../../src/base/errors.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";

class Refuser {
  refuse(): GatewayError {
    return new GatewayError("cancelled", "the build was cancelled");
  }
}

// The call sites of a stack refer to the objects whose methods ran. A build group that has failed is remembered for days.
test("an error that is kept keeps nobody alive who had to do with it", async () => {
  let refuser: Refuser | undefined = new Refuser();
  const error = refuser.refuse();
  const watched = new WeakRef(refuser);
  refuser = undefined;
  await collectGarbage();
  expect(watched.deref()).toBeUndefined();
  expect(error).toMatchObject({
    name: "GatewayError",
    kind: "cancelled",
    status: 1,
    message: "the build was cancelled",
  });
});

test("the error behind it is kept for the log", () => {
  const cause = new Error("read ECONNRESET");
  expect(new GatewayError("internal", "placing the build failed", { cause }).cause).toBe(cause);
});

test("other errors have their stacks as before", () => {
  void new GatewayError("cancelled", "the build was cancelled");
  expect(new Error("defect").stack).toContain("errors.test.ts");
});
