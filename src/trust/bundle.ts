import { createHash } from "node:crypto";
import { toPem } from "../base/pem.ts";
import type { FileRemark, FoundCertificate } from "./certificate-file.ts";
import { type Authority, checkAuthority, day } from "./check-authority.ts";

/** Certificates from one place. */
export interface BundlePart {
  readonly certificates: readonly FoundCertificate[];
  /** Roots of the system's: whoever builds the bundle does not answer for them, so a refused one is left out, which is no more than a note. */
  readonly isSystem: boolean;
}

/** How a bundle is put together. */
export interface BundleOptions {
  /** The bundle's name in its first line: `sonda-red`. */
  readonly name: string;
  readonly now: Date;
}

/** A bundle and what was found on the way. It may be written only where there are no errors. */
export interface Bundle {
  /** PEM: one comment line, then each certificate under a comment with its subject, expiry and SHA-256. */
  readonly text: string;
  readonly authorities: readonly Authority[];
  readonly duplicates: number;
  readonly errors: readonly FileRemark[];
  readonly warnings: readonly FileRemark[];
  /** The system's roots that were left out: nobody here can mend them. */
  readonly notes: readonly FileRemark[];
}

/**
 * Put authorities into one bundle, each once (by SHA-256), in the order given.
 *
 * The text depends on the certificates only, not on the time, so that an unchanged bundle stays byte for byte.
 */
export function compileBundle(parts: readonly BundlePart[], { name, now }: BundleOptions): Bundle {
  const errors: FileRemark[] = [];
  const warnings: FileRemark[] = [];
  const notes: FileRemark[] = [];
  const kept = new Map<string, { authority: Authority; found: FoundCertificate; isSystem: boolean }>();
  let duplicates = 0;
  for (const { certificates, isSystem } of parts) {
    for (const found of certificates) {
      const remark = (reason: string): FileRemark => ({ file: found.file, position: found.position, reason });
      // Before the check, which costs a signature.
      const sha256 = createHash("sha256").update(found.der).digest("hex");
      if (kept.has(sha256)) {
        duplicates += 1;
        continue;
      }
      const outcome = checkAuthority(found, now);
      if (outcome.t === "refused" && !isSystem) errors.push(remark(outcome.reason));
      else if (outcome.t !== "accepted") (isSystem ? notes : warnings).push(remark(`left out: ${outcome.reason}`));
      else {
        kept.set(sha256, { authority: outcome.authority, found, isSystem });
        (isSystem ? notes : warnings).push(...outcome.remarks.map(remark));
      }
    }
  }
  const authorities = [...kept.values()].map(({ authority }) => authority);
  const subjects = new Set(authorities.map(({ x509 }) => x509.subject));
  for (const { authority, found, isSystem } of kept.values()) {
    if (isSystem || subjects.has(authority.x509.issuer)) continue;
    const reason = `its issuer is not in the bundle, so only Go programs trust it: ${authority.subject}`;
    warnings.push({ file: found.file, position: found.position, reason });
  }
  const head = `# ${name}: certificate authorities, written by buildkit-gateway trust build\n`;
  const text = head + authorities.map(describe).join("");
  return { text, authorities, duplicates, errors, warnings, notes };
}

function describe({ subject, notAfter, sha256, x509 }: Authority): string {
  // Latin letters only: some readers of bundles stop at anything else.
  const ascii = subject.replace(/[^\x20-\x7e]/g, "?");
  return `\n# ${ascii}; expires ${day(notAfter)}; SHA-256 ${sha256}\n${toPem(x509.raw)}`;
}
