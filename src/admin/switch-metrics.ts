import { Counter, Gauge, type Registry } from "prom-client";

/** What the data plane says of itself; counts are since its start. */
export interface SwitchNumbers {
  readonly connections: number;
  readonly calls: number;
  readonly accepted: number;
  readonly unauthenticated: number;
  readonly refused: number;
  readonly limitHits: Readonly<Record<string, number>>;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** Tell Prometheus of connections, open calls and bytes. `read` is called when it asks. */
export function addSwitchMetrics(registry: Registry, read: () => SwitchNumbers): void {
  const registers = [registry];
  new Gauge({
    name: "bkgw_connections",
    help: "Clients that are connected.",
    registers,
    collect() {
      this.set(read().connections);
    },
  });
  new Gauge({
    name: "bkgw_calls",
    help: "Calls of clients that are open.",
    registers,
    collect() {
      this.set(read().calls);
    },
  });
  new Counter({
    name: "bkgw_connections_total",
    help: "Connections by what became of them: served, unauthenticated (told why it is not served), refused (limits.connections).",
    labelNames: ["result"],
    registers,
    collect() {
      const { accepted, unauthenticated, refused } = read();
      this.reset();
      this.inc({ result: "served" }, accepted - unauthenticated);
      this.inc({ result: "unauthenticated" }, unauthenticated);
      this.inc({ result: "refused" }, refused);
    },
  });
  new Counter({
    name: "bkgw_limit_hits_total",
    help: "Calls and connections that were refused or ended because a peer went past a limit, by its name under limits.",
    labelNames: ["limit"],
    registers,
    collect() {
      this.reset();
      for (const [limit, hits] of Object.entries(read().limitHits)) this.inc({ limit }, hits);
    },
  });
  new Counter({
    name: "bkgw_client_bytes_total",
    help: "Bytes that clients have sent and received, as HTTP/2, without TLS.",
    labelNames: ["direction"],
    registers,
    collect() {
      const { receivedBytes, sentBytes } = read();
      this.reset();
      this.inc({ direction: "received" }, receivedBytes);
      this.inc({ direction: "sent" }, sentBytes);
    },
  });
}
