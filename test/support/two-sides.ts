import { expect } from "vitest";
import { someStreams } from "./open-calls.ts";
import { settled } from "./raw-http2/barrier.ts";
import { FrameType, headersFrame } from "./raw-http2/frames.ts";
import { OK_BLOCK, OK_FIELDS, RESPONSE_BLOCK, RESPONSE_FIELDS, requestBlock } from "./raw-http2/grpc-fields.ts";
import { readHeaders, readMessage } from "./raw-http2/raw-message.ts";
import type { RawPeer } from "./raw-http2/raw-peer.ts";
import type { SwitchRig } from "./switch-rig.ts";

/** Who sends what a test is about: the gateway is a server to a client and a client to a replica. */
export type Side = "client" | "replica";

/** Both, for `describe.each`: most rules of HTTP/2 bind the two ends of a connection alike. */
export const SIDES: readonly Side[] = ["client", "replica"];

/**
 * A client and a replica with the gateway between them, one of which sends
 * something odd. Stream 1 is open both ways, its response begun; stream 3 is
 * over; stream 5 is open both ways, its response not begun. From 7 on all are idle.
 */
export class TwoSides {
  readonly rig: SwitchRig;
  readonly client: RawPeer;
  readonly replica: RawPeer;
  readonly #side: Side;
  #nextCallId = 101;

  private constructor(rig: SwitchRig, client: RawPeer, replica: RawPeer, side: Side) {
    this.rig = rig;
    this.client = client;
    this.replica = replica;
    this.#side = side;
  }

  static async meet(side: Side): Promise<TwoSides> {
    const { rig, client, replica } = await someStreams();
    client.send(headersFrame(5, requestBlock()));
    await readHeaders(replica, 5);
    replica.send(headersFrame(1, RESPONSE_BLOCK));
    await readHeaders(client, 1);
    await settled(client, replica);
    return new TwoSides(rig, client, replica, side);
  }

  /** The side that sends what the test is about. */
  get sender(): RawPeer {
    return this.#side === "client" ? this.client : this.replica;
  }

  /** The other side. */
  get other(): RawPeer {
    return this.#side === "client" ? this.replica : this.client;
  }

  /** The sender's connection ends with GOAWAY and one of these codes, and nobody else's does. */
  async expectConnectionError(...codes: readonly number[]): Promise<void> {
    const goaway = await this.sender.nextOf("GOAWAY");
    expect(codes).toContain(goaway.payload.readUInt32BE(4));
    await this.sender.ended();
    if (this.#side === "client") {
      await this.replica.nextOf("RST_STREAM", 5);
      await settled(await this.rig.client());
    } else {
      const { headers } = await readMessage(this.client, 5);
      expect(headers.at(-1)).toContainEqual(["grpc-status", "14"]);
      await settled(this.client);
    }
  }

  /** One stream of the sender's ends with RST_STREAM and this code; both connections go on. */
  async expectStreamError(streamId: number, code: number): Promise<void> {
    expect((await this.sender.nextOf("RST_STREAM", streamId)).payload.readUInt32BE(0)).toBe(code);
    if (streamId === 1 || streamId === 5) await this.other.nextOf("RST_STREAM", streamId);
    await this.expectCallToPass();
  }

  /** What was sent has ended nothing. */
  async expectNoError(): Promise<void> {
    await this.expectCallToPass();
    for (const peer of [this.client, this.replica]) {
      const types = peer.received.map(({ type }) => type);
      expect(types).not.toContain(FrameType.GOAWAY);
      expect(types).not.toContain(FrameType.RST_STREAM);
    }
  }

  /** A call of the same client reaches the same connection of the replica's, and its answer comes back. */
  async expectCallToPass(): Promise<void> {
    const { client, replica } = this;
    const id = this.#nextCallId;
    this.#nextCallId += 2;
    client.send(headersFrame(id, requestBlock(), true));
    const { streamId } = await replica.next((frame) => frame.type === FrameType.HEADERS && frame.streamId > 5);
    replica.send(headersFrame(streamId, RESPONSE_BLOCK), headersFrame(streamId, OK_BLOCK, true));
    expect((await readMessage(client, id)).headers).toEqual([RESPONSE_FIELDS, OK_FIELDS]);
    await settled(client, replica);
  }
}
