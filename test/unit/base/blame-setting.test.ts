import { expect, test } from "vitest";
import { blameSetting } from "../../../src/base/blame-setting.ts";

test("what succeeds is passed on", async () => {
  expect(await blameSetting("admin.listen", async () => 5)).toBe(5);
});

test("what fails names the setting, with the reason as its cause", async () => {
  const cause = new Error("in use");
  await expect(blameSetting("admin.listen", () => Promise.reject(cause))).rejects.toMatchObject({
    message: "admin.listen",
    cause,
  });
});
