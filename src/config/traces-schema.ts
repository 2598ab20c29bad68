import { list, section } from "./structure.ts";
import { count, duration, fraction, quote, value, word } from "./value-types.ts";

/** Longest URL, and longest name and value of an attribute, that are taken. */
const MAX_URL_CHARACTERS = 2_048;
const MAX_ATTRIBUTE_CHARACTERS = 1_024;

/** One attribute of everything that this gateway tells. */
export interface ResourceAttribute {
  readonly name: string;
  readonly value: string;
}

/** `traces`: where a build's spans are sent. */
export const tracesSchema = section({
  endpoint: collectorUrl()
    .optional()
    .describe(
      "Where the spans of builds are sent, as OTLP over HTTP: `http://collector:4318`, to whose path `/v1/traces` is added " +
        "where it has none. Absent: nowhere. Also `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    ),
  headersFile: word("file")
    .optional()
    .describe(
      "File with headers for the collector, such as `authorization: Bearer …`, one in a line. Read again for each request.",
    ),
  sampleRatio: fraction({ min: 0, max: 1 })
    .default(1)
    .describe(
      "Share of the builds without a trace of their client's that get one of their own. Where the client has one, it decides.",
    ),
  serviceName: word("name").default("buildkit-gateway").describe("What the spans are from. Also `OTEL_SERVICE_NAME`."),
  attributes: attributeList()
    .default([])
    .describe(
      "What else the spans say of this gateway, such as `k8s.cluster.name=ci`. Also `OTEL_RESOURCE_ATTRIBUTES`.",
    ),
  timeout: duration({ min: 100, max: 60_000 })
    .default(10_000)
    .describe("Time that the collector has to take some spans, tries again included. Then they are dropped."),
  queueSpans: count({ min: 1, max: 100_000 })
    .default(2_048)
    .describe("Spans that may wait for the collector; what is beyond is dropped. A build has about five."),
});

/** A collector's URL; `/v1/traces` is where it has no path at all. */
function collectorUrl() {
  return value("URL", (input) => {
    const isText = typeof input === "string" && input.length <= MAX_URL_CHARACTERS;
    const url = isText && /^https?:\/\/[\x21-\x7e]+$/.test(input) && URL.canParse(input) ? new URL(input) : undefined;
    if (!url) throw new Error(`not a URL: ${quote(input)} (write http://collector:4318 or https://…)`);
    // Not quoted: it may be a password.
    if (url.username !== "" || url.password !== "") {
      throw new Error("a URL with a user or password (write an authorization header into traces.headersFile)");
    }
    if (url.hash !== "") throw new Error(`a URL with a fragment: ${quote(input)}`);
    if (/^https?:\/\/[^/?]*$/.test(input as string)) url.pathname = "/v1/traces";
    return url.href;
  });
}

/** Attributes, each `name=value`. */
function attributeList() {
  const label = "name=value";
  const write = ({ name, value }: ResourceAttribute) => `${name}=${value}`;
  return list(value(label, readAttribute, write), { label, writeItem: write }, ({ name }) => [`name ${quote(name)}`]);
}

function readAttribute(input: unknown): ResourceAttribute {
  const [, name, text] = (typeof input === "string" && /^([\x21-\x3c\x3e-\x7e]+)=(.*)$/s.exec(input)) || [];
  if (name === undefined || text === undefined) {
    throw new Error(`not an attribute: ${quote(input)} (write k8s.cluster.name=ci)`);
  }
  if (name.length > MAX_ATTRIBUTE_CHARACTERS || text.length > MAX_ATTRIBUTE_CHARACTERS) {
    throw new Error(`attribute longer than ${MAX_ATTRIBUTE_CHARACTERS} characters: ${quote(input)}`);
  }
  return { name, value: text };
}
