import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A gateway behind a balancer, as far as that sees it. */
export interface BalancedGateway {
  /** `tcp://127.0.0.1:port` */
  readonly address: string;
  readyz(): Promise<{ readonly status: number }>;
}

/** How late a change of `/readyz` is noticed, at the most: kubelets and endpoint controllers are late, too. */
const CHECK_INTERVAL_MS = 1_000;

/**
 * One TCP address in front of several gateways, as a Service or an L4 balancer has it.
 *
 * New connections go in turn to the gateways that were ready at the last check;
 * open ones are left alone. It knows nothing of what it carries.
 */
export class Balancer {
  /** For buildx. */
  readonly address: string;
  /** Who is behind it; change a place to put another gateway there. */
  readonly gateways: BalancedGateway[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #ready: readonly BalancedGateway[] = [];
  #turn = 0;
  #isOpen = true;

  private constructor(server: Server, gateways: readonly BalancedGateway[]) {
    this.#server = server;
    this.gateways = [...gateways];
    this.address = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("connection", (socket) => this.#lead(socket));
  }

  static async open(gateways: readonly BalancedGateway[]): Promise<Balancer> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const balancer = new Balancer(server, gateways);
    await balancer.#check();
    void balancer.#checkAgain();
    return balancer;
  }

  /** End everything. Any number of times. */
  close(): void {
    this.#isOpen = false;
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #checkAgain(): Promise<void> {
    while (this.#isOpen) {
      await delay(CHECK_INTERVAL_MS);
      await this.#check();
    }
  }

  async #check(): Promise<void> {
    const answers = await Promise.all(
      this.gateways.map(async (gateway) => {
        const answer = await gateway.readyz().catch(() => undefined);
        return answer?.status === 200 ? [gateway] : [];
      }),
    );
    this.#ready = answers.flat();
  }

  #lead(downstream: Socket): void {
    const gateway = this.#ready[this.#turn++ % this.#ready.length];
    if (!gateway) {
      downstream.destroy();
      return;
    }
    const port = Number(gateway.address.split(":").at(-1));
    const upstream = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
    for (const [one, other] of [
      [downstream, upstream],
      [upstream, downstream],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
