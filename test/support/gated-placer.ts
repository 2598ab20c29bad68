import type { PlacementOutcome, Placer } from "../../src/routing/placer.ts";

/** Holds builds until it is opened, and decides then as the placer behind it does. */
export class GatedPlacer implements Placer {
  readonly #usual: Placer;
  #isOpen = false;
  #waiting: (() => void)[] = [];
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
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return this.#refusal ?? this.#usual.place(request, signal);
  }

  /** Resolves when it has been asked about this many builds. */
  async asked(requests: number): Promise<void> {
    while (this.requests < requests) await new Promise<void>((resolve) => this.#asked.push(resolve));
  }

  /** Let builds go, these and all later ones; or refuse them. */
  open(refusal?: PlacementOutcome): void {
    this.#isOpen = true;
    this.#refusal = refusal;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
