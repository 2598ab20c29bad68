import type { KeyPair } from "./certificate-authority.ts";

/** A file of a key pair. */
export interface KeyPairFile {
  readonly name: string;
  readonly content: string;
  /** Nobody else may read it. */
  readonly isPrivate: boolean;
}

/**
 * A pair and the authorities to trust, under both names that programs look for: buildx's and buildkitd's
 * `ca.pem`, `cert.pem`, `key.pem`, and Kubernetes' `ca.crt`, `tls.crt`, `tls.key`.
 */
export function keyPairFiles({ cert, key }: KeyPair, bundle: string): readonly KeyPairFile[] {
  return [
    ...["ca.pem", "ca.crt"].map((name) => ({ name, content: bundle, isPrivate: false })),
    ...["cert.pem", "tls.crt"].map((name) => ({ name, content: cert, isPrivate: false })),
    ...["key.pem", "tls.key"].map((name) => ({ name, content: key, isPrivate: true })),
  ];
}

/** The same as the manifest of a Secret, ready to be written as JSON or YAML (kubernetes.io, Secret, "TLS Secrets"). */
export function keyPairSecret(name: string, namespace: string, files: readonly KeyPairFile[]): object {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "buildkit-gateway" } },
    type: "kubernetes.io/tls",
    data: Object.fromEntries(files.map((file) => [file.name, Buffer.from(file.content).toString("base64")])),
  };
}
