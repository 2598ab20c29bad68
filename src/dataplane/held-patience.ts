import type { Clock } from "../base/clock.ts";
import { BRIDGE_PING } from "../routing/rpc-table.ts";
import type { Call } from "./call.ts";

/** A held Session gets its preface after this long; its client would give up after 10 s. */
const SESSION_PREFACE_MS = 1_000;

/** A Ping that is held for whatever reason is answered from memory after this long; its client would give up after 15 s. */
const HELD_PING_MS = 5_000;

/**
 * Keep the client of a call that has just been routed from losing its
 * patience, should the call be held. `cachedPong`: what some replica answers
 * to LLBBridge/Ping.
 */
export function keepPatient(call: Call, clock: Clock, cachedPong: () => Buffer | undefined): void {
  if (!call.heldBody) return;
  if (call.kind === "session") {
    call.whileHeld = clock.after(SESSION_PREFACE_MS, () => call.beginSession());
  } else if (call.path === BRIDGE_PING) {
    call.whileHeld = clock.after(HELD_PING_MS, () => {
      const pong = cachedPong();
      if (pong) call.answer(pong);
    });
  }
}
