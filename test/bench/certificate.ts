import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { findProgram } from "./peer-packages.ts";

/** Files of a self-signed certificate for localhost. */
export interface CertificateFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** Both in one file, as haproxy wants them. */
  readonly bundlePath: string;
}

/** Make a certificate (ECDSA P-256, as most private CAs issue) in `folder`. */
export function makeCertificate(folder: string): CertificateFiles {
  const openssl = findProgram("openssl");
  const [configPath, certPath, keyPath, bundlePath] = ["openssl.cnf", "cert.pem", "key.pem", "bundle.pem"].map((name) =>
    path.join(folder, name),
  ) as [string, string, string, string];
  writeFileSync(
    configPath,
    "[req]\nprompt=no\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\nCN=localhost\n" +
      "[ext]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
  );
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", keyPath];
  const args = ["req", "-x509", "-config", configPath, "-days", "2", ...key, "-out", certPath];
  execFileSync(openssl.path, args, { env: { ...process.env, ...openssl.env }, stdio: ["ignore", "pipe", "pipe"] });
  writeFileSync(bundlePath, Buffer.concat([readFileSync(certPath), readFileSync(keyPath)]), { mode: 0o600 });
  return { certPath, keyPath, bundlePath };
}
