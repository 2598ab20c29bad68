import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, test } from "vitest";
import { ReplicaLife } from "../../../src/replicas/replica-life.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const WARN = pino.levels.values.warn;
const INFO = pino.levels.values.info;

function follow() {
  const logged: { level: number; from: string; to: string }[] = [];
  const sink = new Writable({
    write(line, _encoding, done) {
      logged.push(JSON.parse(String(line)));
      done();
    },
  });
  const life = new ReplicaLife({ clock: new FakeClock(), log: pino(sink), onChange: () => {} });
  return { life, levels: () => logged.map(({ level, from, to }) => ({ level, from, to })) };
}

test("a replica that is lost is a warning", () => {
  const { life, levels } = follow();
  life.admit(false);
  life.eject("connect ECONNREFUSED 10.0.0.7:1234");
  expect(levels()).toEqual([
    { level: INFO, from: "connecting", to: "ready" },
    { level: WARN, from: "ready", to: "ejected" },
  ]);
});

// On a real cluster each pod of a rollout was two warnings, one of each gateway.
test("a replica that drains and then ends, as every pod of a rollout does, is none", () => {
  const { life, levels } = follow();
  life.admit(true);
  life.eject("connect ECONNREFUSED 10.0.0.7:1234");
  life.end();
  expect(levels()).toEqual([
    { level: INFO, from: "connecting", to: "draining" },
    { level: INFO, from: "draining", to: "ejected" },
    { level: INFO, from: "ejected", to: "gone" },
  ]);
});
