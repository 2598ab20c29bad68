import { controlRpcs } from "../../src/buildkit/wire-contracts.ts";

/** What one StatusResponse shows, in words: `vertex started`, `line "…"`, `vertex completed`, `vertex failed: …`. */
export function describeStatus(statusResponse: Uint8Array): string[] {
  const { vertexes, logs } = controlRpcs.Status.responseDeserialize(Buffer.from(statusResponse));
  const lines = logs.map(({ msg }) => `line ${JSON.stringify(msg.toString())}`);
  const states = vertexes.map(({ completed, error }) => {
    if (error) return `vertex failed: ${error}`;
    return completed ? "vertex completed" : "vertex started";
  });
  return states[0] === "vertex started" ? [...states, ...lines] : [...lines, ...states];
}
