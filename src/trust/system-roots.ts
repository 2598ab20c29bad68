import { existsSync } from "node:fs";

/**
 * Where systems keep their bundle, in the order in which Go looks (go/src/crypto/x509/root_linux.go): Debian,
 * Alpine and Arch; Fedora and RHEL 6; OpenSUSE; OpenELEC; CentOS and RHEL 7 and later; Alpine's second name.
 */
export const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
] as const;

/** Folders that Go reads as well, whatever bundle it found (go/src/crypto/x509/root_linux.go). */
export const SYSTEM_CERTIFICATE_DIRS = ["/etc/ssl/certs", "/etc/pki/tls/certs"] as const;

/** The system's bundle below `root`; undefined where there is none. `root` is `/` except in tests. */
export function findSystemBundle(root = "/"): string | undefined {
  return SYSTEM_BUNDLES.map((path) => `${root.replace(/\/$/, "")}${path}`).find((path) => existsSync(path));
}
