import { deepStrictEqual } from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../../support/lab/command.ts";
import { bringNghttp2, Nghttpd, receivedHeaders } from "../../support/nghttp2.ts";
import { type CallPlan, drawConnection, makeCalls, planServer } from "../../support/random-calls.ts";
import { Flag } from "../../support/raw-http2/frames.ts";
import { bodyOf } from "../../support/raw-http2/send-body.ts";
import { Draw } from "../draw.ts";
import { type FuzzTarget, type OpenTarget, TargetUnavailable } from "../fuzz-target.ts";
import { type SwitchUnderFuzz, startSwitch } from "../switch-under-fuzz.ts";

/** How servers may be set up. One of each runs for as long as the target is open. */
const SERVERS: readonly (readonly string[])[] = [
  [],
  ["-w", "14", "-W", "30", "--header-table-size=0", "--encoder-header-table-size=0"],
  ["-w", "30", "-W", "16", "-b", "200", "--header-table-size=65536", "--trailer", "x-trailer: end"],
];

/** How a client may be set up. */
const CLIENTS: readonly (readonly string[])[] = [
  [],
  ["-w", "10"],
  ["-w", "30", "-W", "30"],
  ["-W", "17"],
  ["-b", "255"],
  ["-b", "1", "--no-dep"],
  ["--header-table-size=0"],
  ["--header-table-size=65536", "--encoder-header-table-size=65536"],
  ["--trailer", "x-sent: after the body"],
];

/**
 * Calls that one end of nghttp2 makes or answers, node:http2 at the other, end
 * through the switch as they end without it.
 */
export const target: FuzzTarget = {
  name: "calls-nghttp2",
  maxInputBytes: 600,
  shortRunInputs: 8,
  sources: [],
  slowMs: 10_000,
  hangMs: 90_000,
  open: () => Nghttp2Calls.open(),
};

/** A frame as nghttp prints it, and the code of a reset. */
const RECEIVED_FRAME = /\] recv (DATA|HEADERS|RST_STREAM) frame <([^>]*)>(?:\s+\(error_code=(\w+))?/g;

class Nghttp2Calls implements OpenTarget {
  readonly #switch: SwitchUnderFuzz;
  readonly #env: NodeJS.ProcessEnv;
  readonly #folder: string;
  readonly #servers: readonly Nghttpd[];

  private constructor(underFuzz: SwitchUnderFuzz, env: NodeJS.ProcessEnv, folder: string, servers: readonly Nghttpd[]) {
    this.#switch = underFuzz;
    this.#env = env;
    this.#folder = folder;
    this.#servers = servers;
  }

  static async open(): Promise<Nghttp2Calls> {
    const nghttp2 = await bringNghttp2();
    if (nghttp2.t === "unavailable") throw new TargetUnavailable(nghttp2.reason);
    const folder = mkdtempSync(join(tmpdir(), "fuzz-nghttp2-"));
    const servers = await Promise.all(
      SERVERS.map((args) => Nghttpd.start(nghttp2.env, folder, ["--echo-upload", ...args])),
    );
    return new Nghttp2Calls(await startSwitch(), nghttp2.env, folder, servers);
  }

  async run(input: Buffer): Promise<void> {
    const draw = new Draw(input);
    if (draw.chance(50)) await this.#runClient(draw);
    else await this.#runServer(draw);
  }

  async close(): Promise<void> {
    await this.#switch.close();
    for (const server of this.#servers) await server.stop();
    rmSync(this.#folder, { recursive: true });
  }

  /** nghttp before node:http2's server. */
  async #runClient(draw: Draw): Promise<void> {
    const settings = draw.pick(CLIENTS);
    const repeats = 1 + draw.below(4);
    const plan = drawConnection(draw.fraction);
    const call = plan.calls[0]!;
    const server = planServer(plan.server);
    try {
      const ask = (port: number) => this.#nghttp(port, [...settings, "-m", `${repeats}`], call);
      await once(server.listen(0, "127.0.0.1"), "listening");
      const direct = await ask((server.address() as AddressInfo).port);
      this.#switch.rig.replica.onSwitchSocket = (socket) => void server.emit("connection", socket);
      deepStrictEqual(await ask(this.#switch.rig.address.port), direct);
    } finally {
      server.close();
    }
  }

  /** What nghttp saw of each of its calls. */
  async #nghttp(port: number, settings: readonly string[], plan: CallPlan): Promise<unknown> {
    const body = join(this.#folder, "body");
    const bytes = Buffer.concat(plan.request.map((size, index) => bodyOf(index, size)));
    writeFileSync(body, bytes);
    const fields = {
      "content-type": "application/grpc",
      "x-plan": JSON.stringify({ ...plan, request: [bytes.length] }),
      "x-repeated": "one",
    };
    const args = [
      "-nv",
      ...settings,
      ...["-d", body],
      ...Object.entries(fields).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
      `http://127.0.0.1:${port}/test.Other/Call`,
    ];
    const { exitCode, stdout, stderr } = await runCommand("nghttp", args, { env: this.#env, timeoutMs: 30_000 });
    const isReset = plan.ends === "with a reset";
    return { exitCode, ...(!isReset && { stderr }), streams: outcomesOf(stdout, isReset) };
  }

  /** node:http2's client before nghttpd, which sends back what is sent. */
  async #runServer(draw: Draw): Promise<void> {
    const { port } = draw.pick(this.#servers);
    const plan = drawConnection(draw.fraction);
    const calls = plan.calls.map((call): CallPlan => ({ ...call, ends: "with trailers" }));
    const direct = await makeCalls(`http://127.0.0.1:${port}`, { ...plan, calls });
    this.#switch.rig.replica.onSwitchSocket = (socket) => splice(socket, port);
    const through = await makeCalls(`http://127.0.0.1:${this.#switch.rig.address.port}`, { ...plan, calls });
    deepStrictEqual(through, direct);
  }
}

function splice(socket: Socket, port: number): void {
  const inner = connect({ port, host: "127.0.0.1", noDelay: true });
  inner.on("error", () => {});
  inner.once("close", () => socket.destroy());
  socket.once("close", () => inner.destroy());
  socket.pipe(inner).pipe(socket);
}

/** What of nghttp's output is the same however long it took: header lists, octets of data, codes of resets. */
function outcomesOf(output: string, isReset: boolean): unknown[] {
  const bytes = new Map<number, number>();
  const ended = new Set<number>();
  const resets = new Map<number, string>();
  for (const [, type, about, code] of output.matchAll(RECEIVED_FRAME)) {
    const [length, flags, stream] = /length=(\d+), flags=(\w+), stream_id=(\d+)/.exec(about!)!.slice(1).map(Number);
    if (type === "DATA") bytes.set(stream!, (bytes.get(stream!) ?? 0) + length!);
    // Node resets a stream even after both sides have ended it, when it is closed and nobody listens any more.
    if (type === "RST_STREAM" && !ended.has(stream!)) resets.set(stream!, code!);
    if (type !== "RST_STREAM" && flags! & Flag.END_STREAM) ended.add(stream!);
  }
  return [...receivedHeaders(output)].map(([stream, fields]) => ({
    fields: fields.filter(({ name }) => name !== "date"),
    // What is not delivered when a stream is reset is dropped, here or there; and Node may end it first, or not.
    ...(!isReset && { bytes: bytes.get(stream) ?? 0, reset: resets.get(stream) }),
  }));
}
