import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forbidden, INTERNAL_ERROR, tooManyRequests, UNAUTHORIZED } from "../../support/kubernetes/status-bodies.ts";
import { STORED_TYPES } from "../../support/kubernetes/stored-object.ts";
import { SLICES, WatchRig } from "../../support/kubernetes/watch-rig.ts";

let rig: WatchRig;
beforeEach(async () => {
  rig = await WatchRig.start();
});
afterEach(() => rig.stop());

/** Followed from an object on, with its watch open. */
async function followed(options: Parameters<WatchRig["follow"]>[1] = {}): Promise<void> {
  rig.put("a");
  rig.follow(SLICES, options);
  await rig.untilNames("a");
  await rig.until(() => rig.clock.isWatching);
}

describe("objects", () => {
  test("are known from the first list, and changes as they come", async () => {
    await followed();
    rig.put("b");
    await rig.untilNames("a", "b");
    rig.standIn.store("endpointslices").remove("buildkit", "a");
    await rig.untilNames("b");
    expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
  });

  test("are reported once though none is there", async () => {
    rig.follow();
    await rig.untilState("live");
    expect(rig.reports).toEqual([[]]);
  });

  test("are listed in pages", async () => {
    for (let index = 0; index < 1_234; index++) rig.put(`slice-${index}`);
    rig.follow();
    await rig.untilState("live");
    expect(rig.reports[0]).toHaveLength(1_234);
    const pages = rig.standIn.requests.filter(({ verb }) => verb === "list");
    expect(pages.map(({ query }) => query.get("limit"))).toEqual(["500", "500", "500"]);
    expect(pages.map(({ query }) => query.has("continue"))).toEqual([false, true, true]);
  });

  test("are listed anew where the list was forgotten half way", async () => {
    for (let index = 0; index < 600; index++) rig.put(`slice-${index}`);
    rig.standIn.expireContinue();
    rig.follow();
    await rig.untilState("live");
    expect(rig.reports).toHaveLength(1);
    expect(rig.reports[0]).toHaveLength(600);
    expect(rig.count("list")).toBe(4);
  });

  test("are those of the selection and the namespace", async () => {
    rig.put("mine", { labels: { app: "x" } });
    rig.put("other", { labels: { app: "y" } });
    rig.put("elsewhere", { namespace: "kube-system", labels: { app: "x" } });
    rig.follow(SLICES, { selection: { labelSelector: "app=x" } });
    await rig.untilNames("mine");
    expect(rig.standIn.requests[0]).toMatchObject({ namespace: "buildkit", plural: "endpointslices" });
  });

  test("of which nothing is wanted are not kept", async () => {
    rig.put("a");
    rig.put("b");
    rig.follow(SLICES, { project: ({ metadata }) => (metadata.name === "b" ? "kept" : undefined) });
    await rig.untilNames("b");
  });

  test("are no more than may be", async () => {
    for (const name of ["a", "b", "c"]) rig.put(name);
    rig.follow(SLICES, { maxObjects: 2 });
    expect(await rig.untilState("stale")).toMatchObject({ reason: "more than 2 objects" });
    expect(rig.reports).toEqual([]);
  });
});

describe("events", () => {
  test.each([1, 2, 3, 7, 64])("may be cut every %i bytes, within a character too", async (size) => {
    rig.standIn.cutting = (event) =>
      Array.from({ length: Math.ceil(event.length / size) }, (_, index) =>
        event.subarray(index * size, (index + 1) * size),
      );
    const seen: unknown[] = [];
    rig.put("a");
    rig.follow(SLICES, {
      project: ({ metadata }) => {
        if (metadata.annotations) seen.push(metadata.annotations.note);
        return "known";
      },
    });
    await rig.untilNames("a");
    await rig.untilSeen("watch", 1);
    const note = "überall 😀 日本";
    rig.standIn.put("endpointslices", { metadata: { name: "b", namespace: "buildkit", annotations: { note } } });
    await rig.untilNames("a", "b");
    expect(seen).toEqual([note]);
  });

  test("that come twice or for what is not known change nothing", async () => {
    await followed();
    const [watch] = rig.standIn.watches;
    const object = rig.standIn.store("endpointslices").find("buildkit", "a")!;
    watch!.send("ADDED", object);
    watch!.send("DELETED", { ...object, metadata: { ...object.metadata, name: "never-seen" } });
    rig.put("b");
    await rig.untilNames("a", "b");
  });

  test("of unknown types are left out", async () => {
    await followed();
    rig.standIn.watches[0]!.send("FROBNICATED", { kind: "EndpointSlice" });
    rig.put("b");
    await rig.untilNames("a", "b");
    expect(rig.count("watch")).toBe(1);
  });

  test("of one interval are reported together", async () => {
    await followed();
    const events = ["b", "c", "d"].map((name) => {
      const metadata = { name, namespace: "buildkit", resourceVersion: "5000" };
      return `${JSON.stringify({ type: "ADDED", object: { kind: "EndpointSlice", metadata } })}\n`;
    });
    rig.standIn.watches[0]!.sendRaw(events.join(""));
    await rig.untilNames("a", "b", "c", "d");
    expect(rig.reports.map(({ length }) => length)).toEqual([1, 4]);
  });

  test("that are too large end the watch, and it is listed anew", async () => {
    await followed();
    rig.standIn.watches[0]!.sendRaw("x".repeat(5 << 20));
    expect(await rig.untilState("stale")).toMatchObject({ reason: "an event of more than 4194304 bytes" });
    await rig.untilSeen("list", 2);
    await rig.untilState("live");
    expect(rig.names).toEqual(["a"]);
  });

  test("that are no JSON end the watch, and what came before them counts", async () => {
    await followed();
    const object = rig.standIn.store("endpointslices").find("buildkit", "a")!;
    const added = { ...object, metadata: { ...object.metadata, name: "b" } };
    rig.standIn.watches[0]!.sendRaw(`${JSON.stringify({ type: "ADDED", object: added })}\n{"type":\n`);
    expect(await rig.untilState("stale")).toMatchObject({ kind: "unreadable", reason: "an event that is not JSON" });
    expect(rig.names).toEqual(["a", "b"]);
  });
});

describe("a watch", () => {
  test("goes on from the last version when the server ends it", async () => {
    await followed();
    rig.put("b");
    await rig.untilNames("a", "b");
    const { version } = rig.standIn;
    rig.standIn.watches[0]!.end();
    await rig.untilSeen("watch", 2);
    expect(rig.standIn.requests.at(-1)!.query.get("resourceVersion")).toBe(String(version));
    expect(rig.count("list")).toBe(1);
    expect(rig.watch.state.t).toBe("live");
  });

  test("goes on from a bookmark's version", async () => {
    await followed();
    rig.standIn.store("pods").put({ metadata: { name: "p", namespace: "buildkit" } });
    const { version } = rig.standIn;
    rig.standIn.watches[0]!.bookmark(version);
    rig.standIn.watches[0]!.end();
    await rig.untilSeen("watch", 2);
    const { query } = rig.standIn.requests.at(-1)!;
    expect(query.get("resourceVersion")).toBe(String(version));
    expect(query.get("allowWatchBookmarks")).toBe("true");
    expect(query.get("timeoutSeconds")).toBe("300");
  });

  test("that is silent for too long is renewed, and nothing is lost", async () => {
    await followed();
    rig.standIn.watches[0]!.isSilent = true;
    rig.put("b");
    rig.clock.advance(89_999);
    expect(rig.count("watch")).toBe(1);
    rig.clock.advance(1);
    await rig.untilNames("a", "b");
    await rig.untilSeen("watch", 2);
    expect(rig.count("list")).toBe(2);
    expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
  });

  test("that has told something before it fell silent goes on from there", async () => {
    await followed();
    rig.put("b");
    await rig.untilNames("a", "b");
    rig.standIn.watches[0]!.isSilent = true;
    rig.put("c");
    rig.clock.advance(90_000);
    await rig.untilNames("a", "b", "c");
    expect(rig.count("list")).toBe(1);
  });

  test("from a version that the server has not reached, which it watches in silence, is listed anew", async () => {
    await followed();
    rig.standIn.rewind(500);
    rig.standIn.store("endpointslices").remove("buildkit", "a");
    rig.put("b");
    await rig.until(() => rig.clock.isWatching);
    rig.clock.advance(90_000);
    await rig.untilNames("b");
    expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
  });

  test("that is cut off is renewed at once, after it has been heard", async () => {
    await followed();
    rig.put("b");
    await rig.untilNames("a", "b");
    rig.standIn.watches[0]!.cut();
    await rig.untilSeen("watch", 2);
    rig.put("c");
    await rig.untilNames("a", "b", "c");
    expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
  });

  test("that ends at once again and again is not asked for in a hurry", async () => {
    await followed();
    rig.standIn.watches[0]!.end();
    const state = await rig.untilState("stale");
    expect(state).toMatchObject({ kind: "unreachable" });
    expect((state as { reason: string }).reason).toMatch(
      /^127\.0\.0\.1:\d+: a watch ended at once: the server ended it$/,
    );
    expect(rig.clock.waitsMs.at(-1)).toBe(500);
  });

  test.each(["status", "event"] as const)(
    "from a forgotten version is listed anew at once, told by %s",
    async (form) => {
      await followed();
      rig.standIn.expiry = form;
      rig.standIn.watches[0]!.isSilent = true;
      rig.put("b");
      rig.standIn.compact();
      rig.clock.advance(90_000);
      await rig.untilNames("a", "b");
      expect(rig.names).toEqual(["a", "b"]);
      expect(rig.count("list")).toBe(2);
      expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
    },
  );

  test("from a version that the server refuses again and again is listed anew", async () => {
    await followed();
    rig.standIn.failNext("watch", { status: 504, body: { message: "Too large resource version: 9, current: 5" } });
    rig.standIn.failNext("watch", { status: 504, body: { message: "Too large resource version: 9, current: 5" } });
    rig.standIn.failNext("watch", { status: 504, body: { message: "Too large resource version: 9, current: 5" } });
    rig.standIn.watches[0]!.bookmark(rig.standIn.version);
    rig.standIn.watches[0]!.end();
    await rig.untilState("stale");
    await rig.untilSeen("list", 2);
    await rig.untilState("live");
  });
});

describe("a server that refuses", () => {
  test("an outdated token gets the new one at once", async () => {
    await followed();
    rig.standIn.tokens.clear();
    rig.standIn.tokens.add("second-token");
    await rig.files.writeToken("second-token");
    rig.standIn.watches[0]!.bookmark(rig.standIn.version);
    rig.standIn.watches[0]!.end();
    await rig.untilSeen("watch", 2);
    expect(rig.standIn.requests.at(-1)!.token).toBe("second-token");
    expect(rig.watch.state.t).toBe("live");
  });

  test("one request with 401 is asked again at once, then after a while", async () => {
    rig.standIn.tokens.clear();
    rig.follow();
    expect(await rig.untilState("stale")).toMatchObject({ kind: "unauthorized", reason: "401: Unauthorized" });
    expect(rig.count("list")).toBe(2);
    rig.standIn.tokens.add("first-token");
    await rig.untilSeen("list", 3);
    await rig.untilState("live");
  });

  test("a single 401 goes unnoticed", async () => {
    rig.standIn.failNext("list", UNAUTHORIZED);
    rig.follow();
    await rig.untilState("live");
    expect(rig.states.map(({ t }) => t)).toEqual(["live"]);
  });

  test("who may not list is told the role to apply, once", async () => {
    rig.standIn.forbidden.add("list endpointslices");
    rig.follow();
    const state = await rig.untilState("stale");
    expect(state).toMatchObject({ kind: "forbidden" });
    await rig.untilSeen("list", 4);
    const refusals = rig.lines.filter(({ level }) => level >= 50);
    expect(refusals).toHaveLength(1);
    expect(refusals[0]!.reason).toContain('cannot list resource "endpointslices" in API group "discovery.k8s.io"');
    expect(refusals[0]!.role).toContain("kind: RoleBinding");
    rig.standIn.forbidden.clear();
    await rig.untilSeen("list", 5);
    await rig.untilState("live");
  });

  test("a watch that may not be is not listed anew", async () => {
    const [slices] = STORED_TYPES;
    rig.put("a");
    rig.standIn.failNext("watch", forbidden(slices!, "watch", "u", "buildkit"));
    rig.follow();
    await rig.untilNames("a");
    await rig.untilState("stale");
    await rig.untilSeen("watch", 2);
    await rig.untilState("live");
    expect(rig.count("list")).toBe(1);
  });

  test("every watch, though not the list, says why once", async () => {
    rig.put("a");
    for (let count = 0; count < 4; count++) rig.standIn.failNext("watch", { status: 400, body: "no" });
    rig.follow();
    await rig.untilSeen("watch", 5);
    expect(rig.lines.filter(({ level }) => level >= 40).map(({ reason }) => reason)).toEqual(["400: no"]);
  });

  test("a type that it does not serve is told apart", async () => {
    rig.standIn.unknown.add("ephemeralrunners");
    rig.follow({ group: "actions.github.com", version: "v1alpha1", name: "ephemeralrunners" });
    expect(await rig.untilState("stale")).toMatchObject({ kind: "missing", reason: "404: 404 page not found" });
  });

  test("a busy one is left alone for as long as it asks", async () => {
    rig.standIn.failNext("list", tooManyRequests(7));
    rig.follow();
    expect(await rig.untilState("stale")).toMatchObject({ kind: "busy" });
    await rig.untilState("live");
    expect(rig.clock.waitsMs).toEqual([7_000]);
  });

  test("what fails within it is tried again", async () => {
    rig.standIn.failNext("list", INTERNAL_ERROR);
    rig.follow();
    expect(await rig.untilState("stale")).toMatchObject({
      kind: "busy",
      reason: "500: Internal error occurred: etcdserver: leader changed",
    });
    await rig.untilSeen("list", 2);
    await rig.untilState("live");
  });

  test("a redirect is not followed", async () => {
    rig.standIn.failNext("list", { status: 302, body: "elsewhere", headers: { location: "https://127.0.0.1:1/" } });
    rig.follow();
    expect(await rig.untilState("stale")).toMatchObject({ kind: "refused", reason: "redirects are not followed" });
  });
});

describe("an API server that is away", () => {
  test("leaves what is known, with its age, and is followed again when it is back", async () => {
    await followed();
    const { port } = rig.standIn;
    await rig.standIn.close();
    const state = await rig.untilState("stale");
    expect(state).toMatchObject({ kind: "unreachable" });
    const ageMs = rig.watch.ageMs!;
    rig.clock.advance(400);
    expect(rig.watch.ageMs).toBe(ageMs + 400);
    expect(rig.names).toEqual(["a"]);
    await rig.standIn.listen(port);
    rig.put("b");
    await rig.untilSeen("watch", 2);
    await rig.untilState("live");
    await rig.untilNames("a", "b");
    expect(rig.count("list")).toBe(1);
  });

  test("does not answer: the request is given up", async () => {
    rig.standIn.failNext("list", "hang");
    rig.follow();
    await rig.untilSeen("list", 1);
    rig.clock.advance(15_000);
    const state = await rig.untilState("stale");
    expect((state as { reason: string }).reason).toMatch(/^127\.0\.0\.1:\d+: no answer after 15s$/);
  });

  test("does not end its answer: the request is given up", async () => {
    rig.standIn.failNext("list", "stall");
    rig.follow();
    await rig.until(() => rig.clock.delaysMs.includes(30_000));
    rig.clock.advance(30_000);
    expect(await rig.untilState("stale")).toMatchObject({ kind: "busy", reason: "500" });
  });

  test("cuts requests: they are tried again, ever more slowly", async () => {
    for (let index = 0; index < 3; index++) rig.standIn.failNext("list", "cut");
    rig.follow();
    await rig.untilState("live");
    expect(rig.clock.waitsMs).toEqual([500, 1_000, 2_000]);
  });
});

test("a stopped watch says nothing more, and leaves no timer", async () => {
  await followed();
  rig.watch.stop();
  rig.put("b");
  await rig.until(() => rig.standIn.watches.length === 0);
  expect(rig.names).toEqual(["a"]);
  expect(rig.clock.delaysMs).toEqual([]);
});
