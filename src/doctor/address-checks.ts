import { type ServiceError, status } from "@grpc/grpc-js";
import type { Address } from "../base/address.ts";
import { formatAddress } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import { toPem } from "../base/pem.ts";
import { ReplicaClient } from "../buildkit/replica-client.ts";
import { askForRequest } from "./ask-for-request.ts";
import { checkChain, checkName } from "./chain-check.ts";
import { judgeClientCertificate } from "./client-certificate-check.ts";
import { checkHealth, checkInfo, checkWorkers } from "./daemon-checks.ts";
import type { Finding } from "./finding.ts";
import { judgeAlpn, judgeHttp2 } from "./http2-check.ts";
import { findLanguage, type Language } from "./port-language.ts";
import { connectAll, resolveName } from "./reach.ts";
import { type Done, Steps } from "./steps.ts";
import { expectedName, type Target } from "./target.ts";

/** Times of the steps, in ms: their sum is above the deadline of all, as no server is slow in each. */
const TIMES = { name: 2_000, connect: 1_500, language: 2_500, chain: 1_500, certificate: 2_000, call: 2_000 } as const;

/** What is left of a step's time for what the step waits for, so that it can say what it has seen. */
const MARGIN_MS = 100;

/** How the checks of an address are made. */
export interface AddressCheckOptions {
  readonly target: Target;
  readonly clock: Clock;
  /** A time of the clock. */
  readonly deadlineMs: number;
}

/** Go the way of a build to an address, a check for each step: from its name to the workers. Never rejects. */
export async function checkAddress({ target, clock, deadlineMs }: AddressCheckOptions): Promise<readonly Finding[]> {
  const steps = new Steps("address", clock, deadlineMs);
  await steps.make({
    check: "address",
    timeoutMs: TIMES.name,
    run: async () => ({ outcome: { t: "ok", seen: `${formatAddress(target.address)}, from ${target.origin}` } }),
  });
  const resolved = await steps.make({
    check: "name resolution",
    timeoutMs: TIMES.name,
    run: () => resolveName(target, clock),
  });
  const reached = await steps.make({
    check: "connect",
    needs: [resolved],
    timeoutMs: TIMES.connect,
    run: () => connectAll(resolved.value!, { clock, timeoutMs: TIMES.connect - MARGIN_MS }),
  });
  const language = await steps.make({
    check: "TLS or cleartext",
    needs: [reached],
    timeoutMs: TIMES.language,
    // A handshake and the words after it have half the time each.
    run: () => findLanguage(reached.value!, target, { clock, timeoutMs: TIMES.language / 2 - MARGIN_MS }),
  });
  await checkLanguage(steps, { target, clock, reached, language });
  return steps.findings;
}

interface Reached {
  readonly target: Target;
  readonly clock: Clock;
  readonly reached: Done<Address>;
  readonly language: Done<Language>;
}

async function checkLanguage(steps: Steps, { target, clock, reached, language }: Reached): Promise<void> {
  const spoken = language.value;
  const tls = spoken?.t === "tls" ? spoken.greeting : undefined;
  let client: ReplicaClient | undefined;
  try {
    const secured: Done<unknown>[] = [];
    if (spoken?.t === "clear") {
      client = new ReplicaClient({ address: reached.value! });
      for (const check of ["chain", "name", "ALPN", "client certificate"]) steps.skip(check, "there is no TLS");
    } else {
      const chain = await steps.make({
        check: "chain",
        needs: [language],
        timeoutMs: TIMES.chain,
        run: () => checkChain(tls!.chain, reached.value!, target, { clock, timeoutMs: TIMES.chain / 2 - MARGIN_MS }),
      });
      const name = await steps.make({
        check: "name",
        needs: [language],
        timeoutMs: TIMES.chain,
        run: async () => checkName(tls!.chain, target, clock.wallTime()),
      });
      await steps.make({
        check: "ALPN",
        needs: [language],
        timeoutMs: TIMES.chain,
        run: async () => judgeAlpn(tls!.alpn),
      });
      const certificate = await steps.make({
        check: "client certificate",
        needs: [language],
        timeoutMs: TIMES.certificate,
        run: async () => {
          const timeoutMs = TIMES.certificate - MARGIN_MS;
          if (chain.value && name.value) client = secureClient(reached.value!, target);
          const [request, callError] = await Promise.all([
            askForRequest(reached.value!, { clock, timeoutMs, servername: expectedName(target) }),
            client ? firstRefusal(client, timeoutMs) : undefined,
          ]);
          const { own } = target;
          const known = { cert: own.cert, request, words: tls!.words, callError, now: clock.wallTime() };
          const outcome = judgeClientCertificate(known);
          return { outcome, ...(outcome.t !== "failure" && { value: "taken" }) };
        },
      });
      secured.push(chain, name, certificate);
    }
    const http2 = await steps.make({
      check: "HTTP/2",
      needs: [language],
      timeoutMs: TIMES.call,
      run: async () => judgeHttp2(spoken!.t === "tls" ? spoken!.greeting.words : spoken!.words),
    });
    const timeoutMs = TIMES.call - MARGIN_MS;
    const needs = [http2, ...secured];
    const health = await steps.make({
      check: "gRPC health",
      needs,
      timeoutMs: TIMES.call,
      run: () => checkHealth(client!, timeoutMs),
    });
    const info = await steps.make({
      check: "Info",
      needs: [health],
      timeoutMs: TIMES.call,
      run: () => checkInfo(client!, timeoutMs),
    });
    await steps.make({
      check: "ListWorkers",
      needs: [info],
      timeoutMs: TIMES.call,
      run: () => checkWorkers(client!, timeoutMs),
    });
  } finally {
    client?.close();
  }
}

function secureClient(address: Address, target: Target): ReplicaClient {
  const ca = Buffer.from(target.roots.certificates.map(({ raw }) => toPem(raw)).join(""));
  const { cert, key } = target.own;
  return new ReplicaClient({ address, tls: { ca, cert, key, servername: expectedName(target) } });
}

/** Why a first call is refused: a gateway lets those in whom it refuses, to tell them why. */
async function firstRefusal(client: ReplicaClient, timeoutMs: number): Promise<ServiceError | undefined> {
  try {
    await client.info(timeoutMs);
    return undefined;
  } catch (error) {
    return (error as ServiceError).code === status.UNAUTHENTICATED ? (error as ServiceError) : undefined;
  }
}
