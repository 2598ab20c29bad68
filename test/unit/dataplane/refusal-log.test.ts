import { expect, test } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { RefusalLog } from "../../../src/dataplane/refusal-log.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function rig() {
  const clock = new FakeClock();
  const said: string[] = [];
  const log = silentLog();
  log.warn = (({ client, reason }: Record<string, string>) => void said.push(`${client} ${reason}`)) as typeof log.warn;
  return { clock, said, refusals: new RefusalLog(clock, log) };
}

test("a client that tries again and again is told of once a minute, and for each reason", () => {
  const { clock, said, refusals } = rig();
  for (let second = 0; second < 120; second++) {
    refusals.refused("10.0.0.1", "a");
    clock.advance(1_000);
  }
  refusals.refused("10.0.0.1", "b");
  refusals.refused("10.0.0.2", "a");
  expect(said).toEqual(["10.0.0.1 a", "10.0.0.1 a", "10.0.0.1 b", "10.0.0.2 a"]);
});

test("many clients make it neither remember nor say ever more", () => {
  const { clock, said, refusals } = rig();
  const everybody = () => {
    for (let client = 0; client < 5_000; client++) refusals.refused(`10.0.${client >> 8}.${client & 255}`, "a");
  };
  everybody();
  everybody();
  expect(said).toHaveLength(1_000);
  clock.advance(60_000);
  everybody();
  expect(said).toHaveLength(2_000);
});
