import { expect, test } from "vitest";
import { SoundLists } from "../../../src/dataplane/sound-lists.ts";
import type { HeaderField } from "../../../src/http2/header-field.ts";

const list = (value: string): HeaderField[] => [{ name: "content-length", value, isSensitive: false }];

test("a list that comes again is not looked at again, be it sound or malformed", () => {
  let looks = 0;
  const lists = new SoundLists(([first]) => {
    looks++;
    return first?.value === "bad" ? "bad" : undefined;
  });
  const sound = list("7");
  const malformed = list("bad");
  for (let i = 0; i < 3; i++) {
    expect(lists.look(sound)).toEqual({ isSound: true, contentBytes: 7 });
    expect(lists.look(malformed)).toEqual({ isSound: false, contentBytes: -1 });
  }
  expect(looks).toBe(2);
});
