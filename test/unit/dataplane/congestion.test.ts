import { expect, test } from "vitest";
import { type Congestible, Congestion } from "../../../src/dataplane/congestion.ts";

const LIMIT_BYTES = 1_000;

/** A connection that is nothing but its numbers. */
class Numbers implements Congestible {
  backlogBytes = 0;
  queuedBytes = 0;
  isClosed = false;
  isReadPaused = false;
  readonly congestion = new Congestion(this, LIMIT_BYTES);
  #onDrain: (() => void)[] = [];

  get transport() {
    return this;
  }

  pauseReading(): void {
    this.isReadPaused = true;
  }

  resumeReading(): void {
    this.isReadPaused = false;
  }

  onceDrained(onDrain: () => void): void {
    this.#onDrain.push(onDrain);
  }

  /** All that was written has left. */
  drain(): void {
    this.backlogBytes = 0;
    for (const onDrain of this.#onDrain.splice(0)) onDrain();
  }
}

test("a producer stops while its target has too much to write, and goes on when that has left", () => {
  const [producer, target] = [new Numbers(), new Numbers()];
  target.backlogBytes = LIMIT_BYTES + 1;
  producer.congestion.stopReadingFor(target);
  expect(producer.isReadPaused).toBe(true);
  target.drain();
  expect(producer.isReadPaused).toBe(false);
});

test("two directions that both wait for windows do not stop each other", () => {
  const [client, replica] = [new Numbers(), new Numbers()];
  client.queuedBytes = LIMIT_BYTES + 1;
  replica.queuedBytes = LIMIT_BYTES + 1;
  client.congestion.stopReadingFor(replica);
  replica.congestion.stopReadingFor(client);
  expect([client.isReadPaused, replica.isReadPaused]).toEqual([true, false]);
});

test("far beyond the limit a producer stops even for a target that is stopped", () => {
  const [client, replica] = [new Numbers(), new Numbers()];
  client.pauseReading();
  client.queuedBytes = 17 * LIMIT_BYTES;
  replica.congestion.stopReadingFor(client);
  expect(replica.isReadPaused).toBe(true);
});

test("what the target's socket takes by itself stops a producer though the target is stopped", () => {
  const [client, replica] = [new Numbers(), new Numbers()];
  client.pauseReading();
  client.backlogBytes = LIMIT_BYTES + 1;
  replica.congestion.stopReadingFor(client);
  expect(replica.isReadPaused).toBe(true);
});

test("a closed target lets its producers go", () => {
  const [producer, target] = [new Numbers(), new Numbers()];
  target.queuedBytes = LIMIT_BYTES + 1;
  producer.congestion.stopReadingFor(target);
  target.isClosed = true;
  target.congestion.check();
  expect(producer.isReadPaused).toBe(false);
});

test("a peer that asks and never reads is hopeless far beyond the limit", () => {
  const peer = new Numbers();
  peer.backlogBytes = 16 * LIMIT_BYTES;
  expect(peer.congestion.isHopeless).toBe(false);
  peer.backlogBytes += 1;
  expect(peer.congestion.isHopeless).toBe(true);
});
