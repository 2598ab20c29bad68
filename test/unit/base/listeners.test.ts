import { expect, test } from "vitest";
import { Listeners } from "../../../src/base/listeners.ts";

test("each listener hears of each event, until it leaves", () => {
  const listeners = new Listeners<[name: string, count: number]>();
  const heard: string[] = [];
  const leave = listeners.add((name, count) => heard.push(`one ${name} ${count}`));
  listeners.add((name, count) => heard.push(`two ${name} ${count}`));
  listeners.tell("a", 1);
  leave();
  leave();
  listeners.tell("b", 2);
  expect(heard).toEqual(["one a 1", "two a 1", "two b 2"]);
});

test("a listener that leaves while all are told takes nobody with it, and one that comes hears of the next event", () => {
  const listeners = new Listeners<[]>();
  const heard: string[] = [];
  const leave = listeners.add(() => {
    heard.push("one");
    leave();
    listeners.add(() => heard.push("late"));
  });
  listeners.add(() => heard.push("two"));
  listeners.tell();
  expect(heard).toEqual(["one", "two"]);
  listeners.tell();
  expect(heard).toEqual(["one", "two", "two", "late"]);
});

test("nobody is told after all have been let go", () => {
  const listeners = new Listeners<[]>();
  let count = 0;
  listeners.add(() => count++);
  listeners.clear();
  listeners.tell();
  expect(count).toBe(0);
});
