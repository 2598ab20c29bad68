import { describe, expect, test } from "vitest";
import { SOLVE, sessionBlock, solveMessage } from "../support/build-calls.ts";
import { SESSION_ID, SOLVE_ID, startGated } from "../support/raw-build.ts";
import { settled } from "../support/raw-http2/barrier.ts";
import {
  dataFrame,
  FrameType,
  headersFrame,
  rstStreamFrame,
  Setting,
  windowUpdateFrame,
} from "../support/raw-http2/frames.ts";
import { requestBlock } from "../support/raw-http2/grpc-fields.ts";
import { fieldOf, readHeaders, readMessage } from "../support/raw-http2/raw-message.ts";
import { bodyOf, sendBody } from "../support/raw-http2/send-body.ts";

describe("a large Solve that is held", () => {
  test("is granted exactly the window it needs, and what the switch read is settled with the replica's", async () => {
    const { rig, gate } = await startGated({ settings: { LIMITS_BACKLOG_BYTES: "16MiB" } });
    const client = await rig.client();
    const message = solveMessage({ ref: "ref1", definition: bodyOf(1, 5_000_000) });
    client.send(headersFrame(SOLVE_ID, requestBlock(SOLVE)));
    await sendBody(client, SOLVE_ID, message, { isEndStream: false });
    await gate.asked(1);
    await settled(client);
    expect(client.flow.window(SOLVE_ID)).toBe(0);
    gate.open();
    const replica = await rig.replica.serve([[Setting.INITIAL_WINDOW_SIZE, 100_000]]);
    await readHeaders(replica, 1);
    replica.send(windowUpdateFrame(0, 10_000_000));
    await settled(client, replica);
    let received = 0;
    // What the replica grants first goes to what the switch holds; the client hears of none of it.
    for (let granted = 100_000; granted < message.length; granted += 700_000) {
      replica.send(windowUpdateFrame(1, 700_000));
      await settled(client, replica);
      expect(client.flow.window(SOLVE_ID)).toBe(Math.max(0, granted + 700_000 - message.length));
    }
    for (const frame of replica.received) if (frame.type === FrameType.DATA) received += frame.payload.length;
    expect(received).toBe(message.length);
    client.send(dataFrame(SOLVE_ID, Buffer.alloc(0), true));
    expect((await readMessage(replica, 1)).body.equals(message)).toBe(true);
    expect(replica.flow.violations).toEqual([]);
  });

  test("over limits.backlogBytes does not stall its client's other calls for good", async () => {
    const { rig, gate } = await startGated({ settings: { LIMITS_BACKLOG_BYTES: "64KiB" } });
    const client = await rig.client();
    const message = solveMessage({ ref: "ref1", buildSession: "session1", definition: bodyOf(2, 1_000_000) });
    client.send(headersFrame(SESSION_ID, sessionBlock("session1")), headersFrame(7, requestBlock(SOLVE)));
    await sendBody(client, 7, message);
    await gate.asked(1);
    gate.open();
    const replica = await rig.replica.serve();
    await readHeaders(replica, 1);
    await readHeaders(replica, 3);
    const session = bodyOf(3, 500_000);
    const [up, solve] = await Promise.all([
      readMessage(replica, 1, { isGranting: true }),
      readMessage(replica, 3, { isGranting: true }),
      sendBody(client, SESSION_ID, session),
    ]);
    expect(up.body.equals(session)).toBe(true);
    expect(solve.body.equals(message)).toBe(true);
    await settled(client, replica);
  });

  test("over limits.heldBytes together with others is answered with RESOURCE_EXHAUSTED, and gives back what it held", async () => {
    const { rig, gate } = await startGated({ settings: { LIMITS_HELD_BYTES: "128KiB", LIMITS_SOLVE_BYTES: "128KiB" } });
    const client = await rig.client();
    const solve = (ref: string) => solveMessage({ ref, definition: Buffer.alloc(100_000) });
    client.send(headersFrame(1, requestBlock(SOLVE)));
    await sendBody(client, 1, solve("ref1"));
    await gate.asked(1);
    client.send(headersFrame(3, requestBlock(SOLVE)));
    const sending = sendBody(client, 3, solve("ref2"));
    const refused = await readMessage(client, 3);
    expect(fieldOf(refused.headers.at(-1), "grpc-status")).toBe("8");
    expect(fieldOf(refused.headers.at(-1), "grpc-message")).toContain("limits.heldBytes");
    client.send(rstStreamFrame(1, 8));
    client.send(headersFrame(5, requestBlock(SOLVE)));
    await sendBody(client, 5, solve("ref3"));
    await gate.asked(2);
    sending.catch(() => {});
  });
});
