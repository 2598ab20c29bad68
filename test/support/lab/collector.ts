import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readFields } from "../../../src/buildkit/protobuf-reader.ts";
import { pollUntil } from "./poll.ts";

/** A span, as whoever made it told of it. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it is its trace's first. */
  readonly parentSpanId: string;
  readonly name: string;
  /** What kind it is, how long it lasted, and what it says: where it came as JSON. */
  readonly kind?: number;
  readonly durationMs?: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly events?: readonly string[];
}

/** Takes spans as OTLP over HTTP, as JSON and as protobuf; of other signals it takes note of nothing. */
export class LabCollector {
  readonly spans: CollectedSpan[] = [];
  /** Requests that have come. */
  requests = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port of 127.0.0.1 until it is closed. `isSilent`: it takes requests and answers none. */
  static async start({ isSilent = false } = {}): Promise<LabCollector> {
    const server = createServer((request, response) => {
      void readBody(request).then((body) => {
        collector.requests++;
        const isJson = request.headers["content-type"] === "application/json";
        if (request.url === "/v1/traces") collector.spans.push(...(isJson ? jsonSpans(body) : protobufSpans(body)));
        if (isSilent) return;
        response.setHeader("content-type", request.headers["content-type"]!);
        response.end(isJson ? "{}" : "");
      });
    });
    const collector = new LabCollector(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return collector;
  }

  /** `http://127.0.0.1:port` */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves with a span once it has come. */
  span(what: string, isIt: (span: CollectedSpan) => boolean): Promise<CollectedSpan> {
    return pollUntil(what, async () => this.spans.find(isIt), { timeoutMs: 30_000 });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface JsonSpan extends Omit<CollectedSpan, "events" | "attributes"> {
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
  readonly events: readonly { readonly name: string }[];
}

interface JsonRequest {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[] }[];
}

function jsonSpans(body: Buffer): CollectedSpan[] {
  const { resourceSpans } = JSON.parse(body.toString()) as JsonRequest;
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ parentSpanId = "", startTimeUnixNano, endTimeUnixNano, attributes, events, ...span }) => ({
        ...span,
        parentSpanId,
        durationMs: Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
        events: events.map(({ name }) => name),
      })),
    ),
  );
}

/** `ExportTraceServiceRequest` (opentelemetry-proto, trace_service.proto and trace.proto): resource_spans=1, scope_spans=2, spans=2. */
function protobufSpans(body: Buffer): CollectedSpan[] {
  return fieldsOf(body, 1)
    .flatMap((resourceSpans) => fieldsOf(resourceSpans, 2))
    .flatMap((scopeSpans) => fieldsOf(scopeSpans, 2))
    .map((span) => {
      const text = (number: number, encoding: "hex" | "utf8") => fieldsOf(span, number)[0]?.toString(encoding) ?? "";
      return { traceId: text(1, "hex"), spanId: text(2, "hex"), parentSpanId: text(4, "hex"), name: text(5, "utf8") };
    });
}

function fieldsOf(message: Buffer, number: number): Buffer[] {
  return [...readFields(message)].filter((field) => field.number === number).map(({ bytes }) => bytes);
}
