import { expect, test } from "vitest";
import { UnwellReplicas } from "../../../src/replicas/unwell-replicas.ts";
import { endpoint, startFleet, startReplica } from "../../support/fleet-under-test.ts";

const REFUSAL = Object.assign(new Error("not now"), { code: 14, details: "not now" });

test("a replica that is out is unwell for the reason that put it out, until it is back", async () => {
  const replica = await startReplica();
  const lab = startFleet([endpoint("a", replica)], { failuresToEject: 1 });
  const unwell = new UnwellReplicas(lab.fleet);
  const heard: string[] = [];
  unwell.onUnwell((id) => heard.push(id));
  await lab.fleet.ready();
  expect(unwell.whyUnwell("a")).toBeUndefined();
  expect(unwell.whyUnwell("nobody")).toBeUndefined();

  replica.behaviour.refusal = REFUSAL;
  const out = lab.reaches("a", "ejected");
  await lab.nextCheck();
  await out;
  expect(unwell.whyUnwell("a")).toBe(lab.reason("a"));
  expect(heard).toEqual(["a"]);

  replica.behaviour.refusal = undefined;
  const back = lab.reaches("a", "ready");
  await lab.nextCheck();
  await back;
  expect(unwell.whyUnwell("a")).toBeUndefined();
});

test("one that discovery has dropped is unwell as long as its checks fail", async () => {
  const replica = await startReplica();
  const lab = startFleet([endpoint("a", replica)], { failuresToEject: 1 });
  const unwell = new UnwellReplicas(lab.fleet);
  await lab.fleet.ready();
  lab.fleet.buildStarted("a", "ours");
  lab.report();
  expect(unwell.whyUnwell("a")).toBeUndefined();

  const heard: string[] = [];
  unwell.onUnwell((id) => heard.push(id));
  replica.behaviour.refusal = REFUSAL;
  await until(() => unwell.whyUnwell("a") !== undefined);
  expect(heard).toContain("a");
  expect(unwell.whyUnwell("a")).toMatch(/no longer discovered/);

  replica.behaviour.refusal = undefined;
  await until(() => unwell.whyUnwell("a") === undefined);

  /** Let time pass from timer to timer until it is so. */
  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      lab.clock.advance(lab.clock.delaysMs[0] ?? 0);
      await new Promise(setImmediate);
    }
  }
});
