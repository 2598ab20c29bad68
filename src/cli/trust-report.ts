import { counted } from "../base/counted.ts";
import { printable } from "../base/printable.ts";
import { day, oneLine } from "../trust/check-authority.ts";
import type { ProbeOutcome } from "../trust/probe-registry.ts";
import type { RegistryReport } from "../trust/verify-registry.ts";
import { formatTable } from "./table.ts";

/** Longest text of a server's that is shown. */
const MAX_SHOWN_CHARACTERS = 500;

/** For people: a registry, what it sends, a row for each leg, and what to do. */
export function describeReports(reports: readonly RegistryReport[]): string {
  return reports.map(describeReport).join("\n");
}

/** For machines. */
export function reportsJson(reports: readonly RegistryReport[]): string {
  const registries = reports.map(({ registry, mirrorOf, probe, verdicts }) => ({
    registry,
    ...(mirrorOf !== undefined && { mirrorOf }),
    answer: probe.t,
    ...(probe.t === "tls" && { protocol: probe.protocol }),
    chain: chainOf(probe).map((x509) => ({
      subject: oneLine(x509.subject),
      issuer: oneLine(x509.issuer),
      names: x509.subjectAltName ?? null,
      notBefore: new Date(x509.validFrom).toISOString(),
      notAfter: new Date(x509.validTo).toISOString(),
      sha256: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
    })),
    legs: verdicts.map(({ leg, verdict }) => ({
      leg: leg.name,
      roots: { origin: leg.pool.origin, certificates: leg.pool.certificates.length, faults: leg.pool.faults },
      isOk: verdict.t === "ok",
      ...(verdict.t === "ok"
        ? { isVerified: verdict.isVerified, detail: verdict.detail }
        : { kind: verdict.kind, reason: verdict.reason, fix: verdict.fix }),
    })),
  }));
  return `${JSON.stringify({ registries }, null, 2)}\n`;
}

function describeReport({ registry, mirrorOf, probe, verdicts }: RegistryReport): string {
  const show = (text: string) => printable(text, MAX_SHOWN_CHARACTERS);
  const answer = probe.t === "tls" ? `sends ${counted(chainOf(probe).length, "certificate")} (${probe.protocol})` : "";
  const chain = chainOf(probe).map((x509, index) => {
    const issuer = x509.subject === x509.issuer ? "itself" : oneLine(x509.issuer);
    return `  ${index + 1}. ${show(`${oneLine(x509.subject)}; by ${issuer}; expires ${day(new Date(x509.validTo))}`)}\n`;
  });
  const rows = verdicts.map(({ leg, verdict }) => [
    `  ${leg.name}`,
    verdict.t === "ok" ? "ok" : "FAILED",
    show(verdict.t === "ok" ? (verdict.isVerified ? `by ${verdict.detail}` : verdict.detail) : verdict.reason),
    show(`${leg.pool.origin} (${leg.pool.certificates.length})`),
  ]);
  const fixes = new Set(verdicts.flatMap(({ verdict }) => (verdict.t === "failed" ? [verdict.fix] : [])));
  return [
    `${registry}${mirrorOf === undefined ? "" : ` (mirror of ${mirrorOf})`}${answer === "" ? "" : `: ${answer}`}\n`,
    ...chain,
    formatTable(["  LEG", "RESULT", "WHY", "ROOTS"], rows),
    ...[...fixes].map((fix) => `  to do: ${fix}\n`),
  ].join("");
}

function chainOf(probe: ProbeOutcome) {
  return probe.t === "tls" ? probe.chain : [];
}
