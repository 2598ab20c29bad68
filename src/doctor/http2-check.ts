import type { FirstWords } from "./first-words.ts";
import type { Answer } from "./steps.ts";

/** Fewer streams break builds: one takes three long ones and its frontend's calls, a bake that for each target. */
const MIN_STREAMS = 100;

/** Say whether what a server said first is HTTP/2 that builds can use. */
export function judgeHttp2(words: FirstWords): Answer<"spoken"> {
  const fix = "check that this is the port of a gateway or of buildkitd, and what stands in front of it";
  switch (words.t) {
    case "settings": {
      const { maxConcurrentStreams, initialWindowBytes, maxFrameBytes } = words.settings;
      const streams = Number.isFinite(maxConcurrentStreams) ? `${maxConcurrentStreams}` : "any number of";
      const seen = `${streams} streams at once, windows of ${initialWindowBytes} bytes, frames of up to ${maxFrameBytes}`;
      if (maxConcurrentStreams >= MIN_STREAMS) return { outcome: { t: "ok", seen }, value: "spoken" };
      const more = "let what answers here take more streams on one connection: a bake of many targets stalls";
      return { outcome: { t: maxConcurrentStreams === 0 ? "failure" : "warning", seen, fix: more }, value: "spoken" };
    }
    case "bad_settings":
      return { outcome: { t: "failure", seen: `it breaks the rules of HTTP/2: ${words.reason}`, fix } };
    case "http1":
      return { outcome: { t: "failure", seen: `it answers in HTTP/1: ${words.line}`, fix } };
    case "other":
    case "tls_record":
      return {
        outcome: {
          t: "failure",
          seen: `it does not speak HTTP/2${words.t === "other" ? `: ${words.start}` : ""}`,
          fix,
        },
      };
    case "closed":
      return { outcome: { t: "failure", seen: "it closes the connection before it speaks HTTP/2", fix } };
    case "failed":
      return { outcome: { t: "failure", seen: `the connection broke before it spoke HTTP/2: ${words.code}`, fix } };
    case "silent":
      return { outcome: { t: "failure", seen: "it says nothing to the beginning of HTTP/2", fix } };
  }
}

/** Say whether a server chose HTTP/2 in the handshake; `alpn` is what it chose. */
export function judgeAlpn(alpn: string | undefined): Answer<"chosen"> {
  if (alpn === "h2") return { outcome: { t: "ok", seen: "h2 was offered and chosen" }, value: "chosen" };
  const seen = "h2 was offered, and the server chose nothing";
  const fix = "buildx does without; buildctl and other gRPC clients do not: let what ends TLS here choose h2";
  return { outcome: { t: "warning", seen, fix }, value: "chosen" };
}
