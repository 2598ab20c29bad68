import { type GatewayOptions, GatewayProcess } from "./gateway-process.ts";

/** Gateways that a test file starts, to be ended together. */
export class Gateways {
  readonly #started: Promise<GatewayProcess>[] = [];

  /** Start one more. */
  start(options: GatewayOptions): Promise<GatewayProcess> {
    const started = GatewayProcess.start(options);
    this.#started.push(started);
    return started;
  }

  /** End all that run, also those that are still starting. Any number of times. */
  async kill(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#started.splice(0));
    for (const outcome of outcomes) if (outcome.status === "fulfilled") await outcome.value.kill();
  }
}
