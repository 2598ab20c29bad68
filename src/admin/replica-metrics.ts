import { request as httpRequest } from "node:http";
import type { Replica } from "../replicas/replica.ts";
import { mergeMetrics } from "./merge-metrics.ts";

/** A pool whose replicas are asked. */
export interface ScrapedPool {
  readonly name: string;
  readonly fleet: { replicas(): readonly Replica[] };
}

/** The first of these metrics. */
export const FIRST_REPLICA_METRIC = "bkgw_replica_scrape_up";

/** Time that a replica has for its whole answer. Prometheus itself waits for 10 s. */
const TIMEOUT_MS = 3_000;

/** buildkitd's own metrics have some 30 KiB. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20;

/** Most replicas that are asked. */
const MAX_REPLICAS = 200;

/**
 * The metrics of all replicas, asked at once, with `pool` and `replica` as
 * labels. What does not answer is told by `bkgw_replica_scrape_up`. Never rejects.
 */
export async function replicaMetrics(pools: readonly ScrapedPool[], port: number): Promise<string> {
  const asked = pools
    .flatMap(({ name, fleet }) => fleet.replicas().map((replica) => ({ pool: name, replica })))
    .filter(({ replica }) => replica.state.t !== "gone" && replica.address.t === "tcp")
    .slice(0, MAX_REPLICAS);
  const answers = await Promise.all(
    asked.map(async ({ pool, replica }) => ({
      labels: { pool, replica: replica.id },
      text: await scrape(replica, port).catch(() => undefined),
    })),
  );
  const present = answers.flatMap(({ labels, text }) => (text === undefined ? [] : [{ labels, text }]));
  const lines = answers.map(({ labels, text }) => ({
    labels,
    text: `${FIRST_REPLICA_METRIC} ${text === undefined ? 0 : 1}`,
  }));
  const about = {
    labels: {},
    text: `# HELP ${FIRST_REPLICA_METRIC} 1 where a replica's own metrics are among these, else 0.\n# TYPE ${FIRST_REPLICA_METRIC} gauge`,
  };
  return mergeMetrics([about, ...lines, ...present]);
}

function scrape({ address }: Replica, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    if (address.t !== "tcp") throw new Error("no debug port");
    const request = httpRequest({
      host: address.host,
      port,
      path: "/metrics",
      headers: { accept: "text/plain;version=0.0.4", "accept-encoding": "identity" },
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const fail = (text: string) => request.destroy(new Error(text));
      if (response.statusCode !== 200) fail(`status ${response.statusCode}`);
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes > MAX_ANSWER_BYTES) fail(`more than ${MAX_ANSWER_BYTES} bytes`);
      });
      response.on("error", reject);
      response.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
    request.end();
  });
}
