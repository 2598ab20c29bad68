import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { mergeMetrics } from "../../../src/admin/merge-metrics.ts";
import { formatAddress, parseAddress } from "../../../src/base/address.ts";
import { formatBytes, parseBytes } from "../../../src/base/bytes.ts";
import { formatDuration, parseDuration } from "../../../src/base/duration.ts";
import { encodeGrpcMessage } from "../../../src/http2/grpc-status.ts";
import { MAX_CALLER_CHARACTERS } from "../../../src/identity/caller.ts";
import { CLAIM_KEYS, type Claim, readClaim, writeClaim } from "../../../src/identity/claim.ts";
import { readPod, readRunner } from "../../../src/identity/cluster-facts.ts";
import { readJobEnvironment } from "../../../src/identity/github.ts";
import { matchesPattern } from "../../../src/identity/name-pattern.ts";
import { affinityKey, KEY_SOURCES } from "../../../src/routing/affinity-key.ts";
import { parseRepository } from "../../../src/routing/repository.ts";
import { editToml } from "../../../src/trust/toml-edit.ts";
import { Draw } from "../draw.ts";
import { drawText } from "../drawn-text.ts";
import type { FuzzTarget } from "../fuzz-target.ts";

const WORDS = [
  ..."/:@#?=&%*\n\r\t\\\"'.,;-[]{}()$",
  "https://",
  "ssh://git@",
  "git@github.com:",
  "github.com/",
  "acme/app",
  ".git",
  "#main:sub",
  "?subdir=",
  "GITHUB_REPOSITORY=",
  "GITHUB_SERVER_URL=",
  "GITHUB_JOB=",
  "repository=",
  "job=",
  "tcp://",
  "unix:///",
  "[::1]:",
  "1h30m",
  "250ms",
  "1.5GiB",
  "0",
  "9".repeat(16),
  "# TYPE a_total counter\n",
  'a_bucket{le="1"} 3\n',
  "NaN",
  '[registry."a:5000"]\n',
  'ca = ["/x"]\n',
  "+Inf",
  "größe",
  "\ud800",
  "%2F",
  "%ff",
];

/** Texts that come from outside: remotes, claims, job environments, pods, durations, metrics, TOML. */
export const target: FuzzTarget = {
  name: "texts",
  maxInputBytes: 600,
  shortRunInputs: 2_000,
  sources: [
    "admin/merge-metrics.ts",
    "base/address.ts",
    "base/bytes.ts",
    "base/duration.ts",
    "identity/claim.ts",
    "identity/cluster-facts.ts",
    "identity/github.ts",
    "identity/name-pattern.ts",
    "routing/affinity-key.ts",
    "routing/repository.ts",
    "trust/toml-edit.ts",
    "trust/toml-scan.ts",
  ],
  open: () => ({ run }),
};

function run(input: Buffer): void {
  const draw = new Draw(input);
  const check = draw.pick(CHECKS);
  check(drawText(draw, WORDS), draw);
}

const CHECKS: readonly ((text: string, draw: Draw) => void)[] = [
  checkRepository,
  (text) => checkClaim(readClaim(text)),
  (text) => checkClaim(readJobEnvironment(text)),
  checkCluster,
  checkNumbers,
  checkPattern,
  checkMetrics,
  checkToml,
  (text) => ok(/^[\x20-\x7e]*$/.test(encodeGrpcMessage(text))),
];

function checkRepository(text: string, draw: Draw): void {
  const attrs = new Map([
    ["vcs:source", text],
    ["vcs:localdir:context", drawText(draw, WORDS)],
    ["context", drawText(draw, WORDS)],
  ]);
  const repository = parseRepository(text);
  if (repository) {
    ok(!/[@\\;]/.test(repository.name) && repository.name !== "", "a name with what may be of credentials");
    ok(!repository.subdir.startsWith("/"));
  }
  const caller = readClaim(drawText(draw, WORDS));
  const key = affinityKey({ attrs, imageNames: [drawText(draw, WORDS)], caller, sharedKey: undefined }, KEY_SOURCES);
  ok(key === undefined || (key !== "" && key.length <= 512));
}

function checkClaim(claim: Claim): void {
  for (const [key, text] of Object.entries(claim)) {
    ok((CLAIM_KEYS as readonly string[]).includes(key));
    ok(text !== "" && text.length <= MAX_CALLER_CHARACTERS, `${key} of ${text.length} characters`);
    ok(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text), `${key} with control characters`);
  }
  deepStrictEqual(readClaim(writeClaim(claim)), claim);
}

/** Objects of the cluster's, each key a text, another value, or nothing. */
function checkCluster(text: string, draw: Draw): void {
  const value = (): unknown =>
    draw.pick([text, "", 0, 7, null, undefined, true, [], [text, 1], {}, { ip: text }, [{ ip: text }, null]]);
  const some = (...keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, value()]));
  const metadata = { name: text, namespace: draw.chance(90) ? "n" : undefined, ...some("labels", "creationTimestamp") };
  const object = { metadata, ...some("spec", "status") } as never;
  const pod = readPod(object, ["a"]);
  if (pod) checkClaim(pod.claim);
  const status = some(
    "phase",
    "podIP",
    "podIPs",
    "jobRepositoryName",
    "jobWorkflowRef",
    "workflowRunId",
    "jobDisplayName",
  );
  const full = { metadata, spec: some("githubConfigUrl", "hostNetwork"), status } as never;
  checkClaim(readRunner(full));
  const known = readPod(full, ["a"]);
  if (!known) return;
  checkClaim(known.claim);
  ok(known.addresses.length >= 1 && known.addresses.length <= 8 && Number.isFinite(known.createdMs));
}

/** What is written the way it is read is read again as the same. */
function checkNumbers(text: string): void {
  repeats(text, parseDuration, formatDuration);
  repeats(text, parseBytes, formatBytes);
  repeats(text, parseAddress, formatAddress);
}

function repeats<T>(text: string, parse: (text: string) => T, format: (value: T) => string): void {
  let value: T;
  try {
    value = parse(text);
  } catch (reason) {
    ok(reason instanceof Error && reason.constructor === Error && reason.message !== "", String(reason));
    return;
  }
  deepStrictEqual(parse(format(value)), value);
}

function checkPattern(text: string, draw: Draw): void {
  const pattern = draw.chance(50) ? text.replace(/[a-z]+/, "*") : `${drawText(draw, ["*", "a", "b"]).slice(0, 12)}`;
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (parts.length > 4 || text.length > 100) return;
  strictEqual(matchesPattern(text, pattern), new RegExp(`^${parts.join(".*")}$`, "s").test(text));
}

function checkMetrics(text: string, draw: Draw): void {
  const merged = mergeMetrics([
    { labels: { replica: "r" }, text },
    { labels: { replica: drawText(draw, WORDS) }, text },
  ]);
  for (const line of merged.split("\n"))
    ok(line === "" || /^# (HELP|TYPE) |^[A-Za-z_:]/.test(line), JSON.stringify(line));
}

/** An edit that is done again changes nothing. */
function checkToml(text: string): void {
  const edits = [{ t: "include", path: ["registry", "a:5000", "ca"], value: "/y" }] as const;
  const edited = editToml(text, edits);
  if (edited.t === "refused") ok(edited.reason !== "" && edited.line >= 1);
  else deepStrictEqual(editToml(edited.text, edits), edited);
}
