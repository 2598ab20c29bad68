import { expect, test } from "vitest";
import { CLAIM_HEADER } from "../../src/identity/claim.ts";
import { headersFrame } from "../support/raw-http2/frames.ts";
import { requestBlock, requestFields } from "../support/raw-http2/grpc-fields.ts";
import { readHeaders } from "../support/raw-http2/raw-message.ts";
import { SwitchRig } from "../support/switch-rig.ts";

test("what a client says of who is building never reaches a replica", async () => {
  const rig = await SwitchRig.start();
  const client = await rig.client();
  const block = requestBlock(undefined, [
    [CLAIM_HEADER, "repository=github.com%2Facme%2Fapp"],
    ["x-other", "1"],
    [CLAIM_HEADER, "job=again"],
  ]);
  // Three times the same, since what repeats takes a shorter way.
  for (const id of [1, 3, 5]) client.send(headersFrame(id, block, true));
  const replica = await rig.replica.serve();
  for (const id of [1, 3, 5]) {
    expect(await readHeaders(replica, id)).toEqual(requestFields(undefined, [["x-other", "1"]]));
  }
});
