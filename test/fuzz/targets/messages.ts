import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { deflateSync, gzipSync } from "node:zlib";
import { readContentDigest } from "../../../src/buildkit/content-request.ts";
import { readFirstMessage } from "../../../src/buildkit/grpc-message.ts";
import { readHistoryEvent } from "../../../src/buildkit/history-event.ts";
import { historyUpdateName } from "../../../src/buildkit/history-update.ts";
import { ProtobufError } from "../../../src/buildkit/protobuf-reader.ts";
import { readRecordDigests } from "../../../src/buildkit/record-digests.ts";
import { readStatusRef } from "../../../src/buildkit/solve-request.ts";
import { statusMessage } from "../../../src/buildkit/status-message.ts";
import { controlRpcs } from "../../../src/buildkit/wire-contracts.ts";
import { helloKind } from "../../../src/dataplane/client-hello.ts";
import { DropPreface, DropSettingsAck, TunnelFilter } from "../../../src/dataplane/session-tunnel.ts";
import { tunnelled } from "../../support/build-calls.ts";
import { CLIENT_PREFACE, settingsAckFrame, settingsFrame } from "../../support/raw-http2/frames.ts";
import { grpcMessage } from "../../support/raw-http2/grpc-message.ts";
import { Draw } from "../draw.ts";
import { drawMessage, entryContent, textContent } from "../drawn-protobuf.ts";
import type { FuzzTarget } from "../fuzz-target.ts";

/** The end of the year 9999, the last second of a protobuf timestamp. */
const LAST_SECOND = 253_402_300_799;

/** Most that a compressed message may become here. */
const MAX_MESSAGE_BYTES = 2_000;

/** The other messages that come from clients and replicas, and what begins a connection. */
export const target: FuzzTarget = {
  name: "messages",
  maxInputBytes: 1_200,
  shortRunInputs: 1_500,
  sources: [
    "buildkit/content-request.ts",
    "buildkit/grpc-message.ts",
    "buildkit/history-event.ts",
    "buildkit/history-update.ts",
    "buildkit/record-digests.ts",
    "dataplane/client-hello.ts",
    "dataplane/session-tunnel.ts",
  ],
  tokens: [CLIENT_PREFACE, settingsAckFrame(), Buffer.from("POST / HTTP/1.1\r\n")],
  open: () => ({ run }),
};

function run(input: Buffer): void {
  const draw = new Draw(input);
  draw.pick(CHECKS)(draw);
}

const CHECKS = [checkHistory, checkAnyMessage, checkFirstMessage, checkTunnel, checkHello, checkStatus] as const;

/** A record as a daemon writes it is read as it was meant. */
function checkHistory(draw: Draw): void {
  const time = () => ({
    seconds: draw.pick([0, 1, 1_700_000_000, LAST_SECOND]),
    nanos: draw.pick([0, 1, 999_999_999]),
  });
  const digest = () => draw.pick(["", "sha256:a", "sha256:b"]);
  const steps = () => draw.below(300);
  const record = {
    Ref: draw.pick(["", "r", "größe"]),
    FrontendAttrs: Object.fromEntries(
      draw.several(3, () => [draw.pick(["vcs:source", "context", "x"]), draw.pick(["", "y"])]),
    ),
    Exporters: draw.several(2, () => ({ Type: "image", Attrs: { name: draw.pick(["", "a:1", "b:2,c"]) } })),
    ...(draw.chance(50) && { error: Buffer.of(8, 2) }),
    CreatedAt: time(),
    ...(draw.chance(50) && { CompletedAt: time() }),
    logs: { digest: digest() },
    trace: { digest: digest() },
    Generation: steps(),
    numCachedSteps: steps(),
    numTotalSteps: steps(),
    numCompletedSteps: steps(),
  };
  const type = draw.below(4);
  const message = controlRpcs.ListenBuildHistory.responseSerialize({ type, record } as never);
  const event = readHistoryEvent(message);
  const t = ["started", "complete", "deleted"][type];
  if (t === undefined || record.Ref === "") strictEqual(event, undefined);
  else {
    deepStrictEqual(event, {
      t,
      buildRef: record.Ref,
      createdAtMs: milliseconds(record.CreatedAt),
      completedAtMs: "CompletedAt" in record ? milliseconds(record.CompletedAt!) : 0,
      generation: record.Generation,
      isSuccess: !("error" in record),
      attrs: new Map(Object.entries(record.FrontendAttrs).filter(([key]) => key !== "x")),
      imageNames: record.Exporters.map(({ Attrs }) => Attrs.name).filter((name) => name !== ""),
      steps: { cached: record.numCachedSteps, completed: record.numCompletedSteps, total: record.numTotalSteps },
    });
  }
  const digests = new Set([record.logs.digest, record.trace.digest].filter((it) => it !== ""));
  deepStrictEqual(new Set(readRecordDigests(message)), digests);
}

function milliseconds({ seconds, nanos }: { seconds: number; nanos: number }): number {
  return seconds * 1_000 + Math.floor(nanos / 1e6);
}

/** Whatever it is: it is read or refused. */
function checkAnyMessage(draw: Draw): void {
  const descriptor = (it: Draw) => drawMessage(it, { 2: textContent });
  const result = (it: Draw) => drawMessage(it, { 1: descriptor, 2: descriptor, 3: entryContent(["a"]) });
  const time = (it: Draw) => drawMessage(it, { 1: "varint", 2: "varint" });
  const record = (it: Draw) =>
    drawMessage(it, {
      1: textContent,
      3: entryContent(["context", "x"]),
      4: (one) => drawMessage(one, { 2: entryContent(["name"]) }),
      6: time,
      7: time,
      8: descriptor,
      10: result,
      11: result,
      12: "varint",
      15: "varint",
    });
  const message = draw.chance(50)
    ? drawMessage(draw, { 1: "varint", 2: record, 3: "varint", 4: "varint" })
    : draw.rest();
  readHistoryEvent(message);
  for (const text of readRecordDigests(message)) ok(text !== "");
  for (const read of [readContentDigest, historyUpdateName, readStatusRef]) {
    try {
      read(message);
    } catch (reason) {
      if (!(reason instanceof ProtobufError)) throw reason;
    }
  }
}

/** A call's first message is found in its body, wherever that is cut. */
function checkFirstMessage(draw: Draw): void {
  const content = draw.chance(20) ? Buffer.alloc(draw.below(100_000)) : draw.bytes(draw.below(200));
  const encoding = draw.pick([undefined, "identity", "gzip", "deflate", "br"]);
  const flag = draw.chance(5) ? draw.byte() : draw.below(2);
  const pack = encoding === "gzip" ? gzipSync : encoding === "deflate" ? deflateSync : (it: Buffer) => it;
  const payload = flag === 1 && draw.chance(90) ? pack(content) : content;
  const framed = grpcMessage(payload);
  framed[0] = flag;
  const body = Buffer.concat([framed, draw.rest()]);
  const read = readFirstMessage(body, encoding, MAX_MESSAGE_BYTES);
  if (flag === 0) deepStrictEqual(read, { t: "message", message: content, endOffset: framed.length });
  else if (flag > 1) strictEqual(read.t, "malformed");
  else if (pack === gzipSync || pack === deflateSync) {
    if (read.t === "message") ok(read.message.length <= MAX_MESSAGE_BYTES && read.endOffset === framed.length);
    else ok(payload === content || content.length > MAX_MESSAGE_BYTES, "a compressed message was refused for nothing");
  } else strictEqual(read.t, "malformed");
  const cut = readFirstMessage(body.subarray(0, Math.max(0, framed.length - 1)), encoding, MAX_MESSAGE_BYTES);
  if (flag <= 1) deepStrictEqual(cut, { t: "incomplete", wantedBytes: framed.length });
}

/** The bytes inside a Session lose what is to be taken out and nothing else, however the stream is cut. */
function checkTunnel(draw: Draw): void {
  const cuts = draw.several(8, () => 1 + draw.below(60));
  const isPreface = draw.chance(50);
  const makeEdit = () => (isPreface ? new DropPreface() : new DropSettingsAck());
  const isRegular = draw.chance(60);
  const inner = isPreface
    ? Buffer.concat([CLIENT_PREFACE, draw.bytes(60)])
    : Buffer.concat([settingsFrame([[4, 70_000]]), settingsAckFrame(), draw.bytes(60)]);
  const stream = isRegular ? Buffer.concat(pieces(inner, draw).map(tunnelled)) : draw.rest();
  const passed = filter(makeEdit(), stream, []);
  deepStrictEqual(filter(makeEdit(), stream, cuts), passed);
  if (!isRegular) return;
  const expected = isPreface ? inner.subarray(24) : Buffer.concat([inner.subarray(0, 15), inner.subarray(24)]);
  deepStrictEqual(untunnelled(passed), expected);
}

function pieces(bytes: Buffer, draw: Draw): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + draw.below(30);
    cut.push(bytes.subarray(at, at + size));
    at += size;
  }
  return cut;
}

function filter(edit: DropPreface | DropSettingsAck, stream: Buffer, cuts: readonly number[]): Buffer {
  const tunnel = new TunnelFilter(edit);
  const passed: Buffer[] = [];
  let at = 0;
  for (const size of [...cuts, stream.length]) {
    passed.push(Buffer.from(tunnel.push(Buffer.from(stream.subarray(at, at + size)), at + size >= stream.length)));
    at += size;
    if (at >= stream.length) break;
  }
  return Buffer.concat(passed);
}

/** What messages made by {@link tunnelled} carry; they are shorter than 128 octets. */
function untunnelled(stream: Buffer): Buffer {
  const data: Buffer[] = [];
  for (let at = 0; at < stream.length; at += 5 + stream.readUInt32BE(at + 1)) {
    data.push(stream.subarray(at + 7, at + 5 + stream.readUInt32BE(at + 1)));
  }
  return Buffer.concat(data);
}

/** The first octets of a connection tell what it speaks. */
function checkHello(draw: Draw): void {
  const before = draw.below(4);
  const hello = Buffer.concat([
    draw.pick([CLIENT_PREFACE, Buffer.from("PUT / "), Buffer.of(0x16), Buffer.alloc(0)]),
    draw.rest(),
  ]);
  const read = hello.subarray(0, Math.max(1, draw.below(hello.length + 1)));
  if (read.length === 0) return;
  const kind = helloKind(Buffer.concat([Buffer.alloc(before, 0x16), read]), before, before + read.length);
  const isHttp1 = /^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH|CONNECT|TRACE) /.test(read.toString("latin1"));
  const isHttp2 = read.subarray(0, 24).equals(CLIENT_PREFACE.subarray(0, read.length));
  strictEqual(kind, read[0] === 0x16 ? "tls" : isHttp2 ? "http2" : isHttp1 ? "http1" : "unknown");
}

/** What the gateway shows in a build's progress is read by protobufjs as it was meant. */
function checkStatus(draw: Draw): void {
  const text = () => draw.rest().subarray(0, draw.below(50)).toString("utf8");
  const startedAt = new Date(draw.below(2 ** 24) * 1_000 + draw.below(1_000));
  const vertex = { digest: "sha256:a", name: text(), startedAt, error: text() };
  const decoded = controlRpcs.Status.responseDeserialize(statusMessage(vertex, { text: vertex.name, at: startedAt }));
  const [shown] = decoded.vertexes;
  deepStrictEqual([shown?.digest, shown?.name, shown?.error], [vertex.digest, vertex.name, vertex.error]);
  const { seconds, nanos } = shown!.started;
  strictEqual(Number(seconds) * 1_000 + nanos / 1e6, startedAt.getTime());
  strictEqual(decoded.logs[0]?.msg.toString("utf8"), `${vertex.name}\n`);
}
