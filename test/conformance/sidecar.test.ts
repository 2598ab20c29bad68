import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { CLAIM_HEADER } from "../../src/identity/claim.ts";
import { SOLVE, STATUS, sessionBlock, solveMessage } from "../support/build-calls.ts";
import { BRIDGE_ID, messageOf, SESSION_ID, SOLVE_ID, STATUS_ID, sendBuild, statusOf } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import { dataFrame, headersFrame } from "../support/raw-http2/frames.ts";
import { OK_FIELDS, RESPONSE_FIELDS, requestBlock, requestFields } from "../support/raw-http2/grpc-fields.ts";
import { encodeFields } from "../support/raw-http2/hpack-encoder.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { SidecarRig } from "../support/sidecar-rig.ts";

describe("a sidecar passes a call on", () => {
  test("at once, in the order of arrival, before it has been read", async () => {
    const rig = await SidecarRig.start();
    const client = await rig.client();
    // A Solve of which no message will come, and a Status and a Session that no Solve claims.
    client.send(headersFrame(1, requestBlock(SOLVE)), headersFrame(3, requestBlock(STATUS)));
    client.send(headersFrame(5, sessionBlock("s")));
    const gateway = await rig.upstream.serve();
    const paths = [await readHeaders(gateway, 1), await readHeaders(gateway, 3), await readHeaders(gateway, 5)];
    expect(paths.map((fields) => fieldOf(fields, ":path"))).toEqual([
      SOLVE,
      STATUS,
      "/moby.buildkit.v1.Control/Session",
    ]);
  });

  test("unchanged, and so its answer, where it has nothing to say of the client", async () => {
    const rig = await SidecarRig.start();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE)), dataFrame(1, solveMessage({ ref: "r" }), true));
    const gateway = await rig.upstream.serve();
    const sent = await readMessage(gateway, 1);
    expect(sent.headers).toEqual([requestFields(SOLVE)]);
    expect(sent.body).toEqual(solveMessage({ ref: "r" }));
    gateway.send(headersFrame(1, encodeFields(RESPONSE_FIELDS)), headersFrame(1, encodeFields(OK_FIELDS), true));
    expect((await readMessage(client, 1)).headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
  });

  test("with who is building, in place of what the client says of itself", async () => {
    const rig = await SidecarRig.start(["--identity=pod=runner-1", "--identity=job=a b"]);
    const client = await rig.client();
    const forged = requestBlock(SOLVE, [
      [CLAIM_HEADER, "repository=forged"],
      ["x-other", "1"],
    ]);
    // Three times the same, since what repeats takes a shorter way.
    for (const id of [1, 3, 5]) client.send(headersFrame(id, forged, true));
    const gateway = await rig.upstream.serve();
    for (const id of [1, 3, 5]) {
      expect(await readHeaders(gateway, id)).toEqual([
        ...requestFields(SOLVE, [["x-other", "1"]]),
        [CLAIM_HEADER, "job=a+b&pod=runner-1"],
      ]);
    }
  });

  test("with what the job says of itself, from the moment it does", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bkg-sidecar-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "job");
    const rig = await SidecarRig.start(["--identity=pod=runner-1", `--identity-file=${file}`]);
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE), true));
    const gateway = await rig.upstream.serve();
    expect(fieldOf(await readHeaders(gateway, 1), CLAIM_HEADER)).toBe("pod=runner-1");
    writeFileSync(file, "GITHUB_REPOSITORY=acme/app\nGITHUB_RUN_ID=42\n");
    client.send(headersFrame(3, requestBlock(SOLVE), true));
    expect(fieldOf(await readHeaders(gateway, 3), CLAIM_HEADER)).toBe(
      "repository=github.com%2Facme%2Fapp&runId=42&pod=runner-1",
    );
  });
});

describe("where its gateway", () => {
  test("is away for a moment, a call waits for it", async () => {
    const rig = await SidecarRig.start();
    rig.upstream.kill();
    const client = await rig.client();
    client.send(headersFrame(1, requestBlock(SOLVE), true));
    await rig.clock.nextTimer();
    await rig.upstream.listen();
    const accepted = rig.upstream.serve();
    const moving = setInterval(() => rig.clock.advance(100), 5);
    onTestFinished(() => clearInterval(moving));
    expect(fieldOf(await readHeaders(await accepted, 1), ":path")).toBe(SOLVE);
  });

  test("stays away, a build ends and says so, its Solve first", async () => {
    const rig = await SidecarRig.start();
    rig.upstream.kill();
    const client = await rig.client();
    sendBuild(client);
    const moving = setInterval(() => rig.clock.advance(500), 2);
    onTestFinished(() => clearInterval(moving));
    const solve = await readMessage(client, SOLVE_ID);
    expect(statusOf(solve)).toBe("14");
    expect(messageOf(solve)).toMatch(/^gateway tcp:\/\/127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED/);
    expect(statusOf(await readMessage(client, STATUS_ID))).toBe("0");
    expect(statusOf(await readMessage(client, SESSION_ID))).toBe("0");
    expect(statusOf(await readMessage(client, BRIDGE_ID))).toBe("14");
  });

  test("is away, that is logged once, and again when it has been there, however many calls wait", async () => {
    const rig = await SidecarRig.start();
    const lost = () => rig.messages.filter((message) => message === "gateway cannot be reached");
    rig.upstream.kill();
    const client = await rig.client();
    const ids = Array.from({ length: 20 }, (_, index) => 2 * index + 1);
    for (const id of ids) client.send(headersFrame(id, requestBlock(SOLVE), true));
    const moving = setInterval(() => rig.clock.advance(500), 2);
    onTestFinished(() => clearInterval(moving));
    for (const id of ids) await readMessage(client, id);
    expect(lost()).toHaveLength(1);
    await rig.upstream.listen();
    client.send(headersFrame(101, requestBlock(SOLVE), true));
    const gateway = await rig.upstream.serve();
    await readHeaders(gateway, 1);
    expect(rig.messages).toContain("gateway is reached again");
    await gateway.destroy();
    await readMessage(client, 101);
    expect(lost()).toHaveLength(2);
  });

  test("is away, clients that go meanwhile leave no timer and no connection behind", async () => {
    const rig = await SidecarRig.start();
    rig.upstream.kill();
    const before = rig.clock.delaysMs.length;
    const clients = await Promise.all(Array.from({ length: 10 }, () => rig.client()));
    for (const client of clients) {
      sendBuild(client);
      await settled(client);
    }
    await Promise.all(clients.map((client) => client.destroy()));
    const moving = setInterval(() => rig.clock.advance(250), 2);
    onTestFinished(() => clearInterval(moving));
    await expect.poll(() => rig.clock.delaysMs.length).toBe(before);
    await rig.upstream.listen();
    rig.clock.advance(10_000);
    const next = await rig.client();
    next.send(headersFrame(1, requestBlock(SOLVE), true));
    await readHeaders(await rig.upstream.serve(), 1);
    expect(rig.upstream.waiting).toBe(0);
  });

  test("is lost in a build, the build ends, and the next one finds it again", async () => {
    const rig = await SidecarRig.start();
    const client = await rig.client();
    sendBuild(client);
    const gateway = await rig.upstream.serve();
    for (const id of [SESSION_ID, STATUS_ID, SOLVE_ID, BRIDGE_ID]) await readHeaders(gateway, id);
    await gateway.destroy();
    expect(messageOf(await readMessage(client, SOLVE_ID))).toMatch(/^gateway tcp:\S+ went away/);
    client.send(headersFrame(11, requestBlock(SOLVE), true));
    expect(fieldOf(await readHeaders(await rig.upstream.serve(), 1), ":path")).toBe(SOLVE);
  });
});
