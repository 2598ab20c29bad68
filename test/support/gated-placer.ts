import { GatewayError } from "../../src/base/errors.ts";
import type { PlacementOutcome, PlacementRequest, Placer, Waiting } from "../../src/routing/placer.ts";

/** Holds builds until it is opened, and decides then as the placer behind it does. */
export class GatedPlacer implements Placer {
  readonly #usual: Placer;
  #isOpen = false;
  readonly #waiting = new Map<PlacementRequest, () => void>();
  #refusal: PlacementOutcome | undefined;
  #asked: (() => void)[] = [];
  /** Builds that it has been asked about. */
  requests = 0;

  constructor(usual: Placer) {
    this.#usual = usual;
  }

  async place(...[request, signal]: Parameters<Placer["place"]>): ReturnType<Placer["place"]> {
    this.requests++;
    for (const resolve of this.#asked.splice(0)) resolve();
    if (!this.#isOpen) {
      await new Promise<void>((resolve) => {
        this.#waiting.set(request, resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      this.#waiting.delete(request);
    }
    if (signal.aborted) return { t: "refused", error: new GatewayError("cancelled", "nobody waits any more") };
    return this.#refusal ?? this.#usual.place(request, signal);
  }

  buildStarted(fairKey: string): () => void {
    return this.#usual.buildStarted(fairKey);
  }

  /** Resolves when it has been asked about this many builds. */
  async asked(requests: number): Promise<void> {
    while (this.requests < requests) await new Promise<void>((resolve) => this.#asked.push(resolve));
  }

  /** Tell all builds that they wait, and why. */
  tell(waiting: Waiting): void {
    for (const { onWaiting } of [...this.#waiting.keys()]) onWaiting(waiting);
  }

  /** Let builds go, these and all later ones; or refuse them. */
  open(refusal?: GatewayError): void {
    this.#isOpen = true;
    this.#refusal = refusal && { t: "refused", error: refusal };
    this.letGo();
  }

  /** Hold what comes from now on. */
  close(): void {
    this.#isOpen = false;
  }

  /** Let those go that wait now. */
  letGo(): void {
    for (const resolve of this.#waiting.values()) resolve();
  }
}
