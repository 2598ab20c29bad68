import { statSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { readBoundedNow } from "../base/bounded-file.ts";
import type { KeyPair } from "../trust/certificate-authority.ts";
import { RUNNER_PAIR } from "../trust/certificate-preset.ts";
import { keyPairFiles, keyPairSecret } from "../trust/key-pair-files.ts";
import { AUTHORITY_SECRET, type CertsOutput } from "./certs-arguments.ts";

/** What was made. */
export interface MadeCertificates {
  /** What to trust, PEM. */
  readonly bundle: string;
  /** The authority's own pair, where it is new. */
  readonly authority?: KeyPair | undefined;
  /** By their names. */
  readonly pairs: ReadonlyMap<string, KeyPair>;
}

/** A file to write. */
export interface OutputFile {
  readonly path: string;
  readonly content: string;
  /** Permission bits, less those of the umask. */
  readonly mode: number;
}

/** Nobody but its owner reads a key. */
const PRIVATE = 0o600;
const PUBLIC = 0o644;

/** The files of a folder: the authority, and one folder for each pair. */
export function certificateFiles(folder: string, { bundle, authority, pairs }: MadeCertificates): OutputFile[] {
  return [
    ...["ca.pem", "ca.crt"].map((name) => ({ path: join(folder, name), content: bundle, mode: PUBLIC })),
    ...(authority ? [{ path: join(folder, "ca-key.pem"), content: authority.key, mode: PRIVATE }] : []),
    ...[...pairs].flatMap(([pair, made]) =>
      keyPairFiles(made, bundle).map(({ name, content, isPrivate }) => ({
        path: join(folder, pair, name),
        content,
        mode: isPrivate ? PRIVATE : PUBLIC,
      })),
    ),
  ];
}

/** Kubernetes Secrets, as one YAML text. */
export function certificateSecrets(
  { namespace, runnerNamespace }: CertsOutput & { readonly t: "secrets" },
  { bundle, authority, pairs }: MadeCertificates,
): string {
  const manifests = [...pairs].map(([name, pair]) =>
    keyPairSecret(name, name === RUNNER_PAIR ? runnerNamespace : namespace, keyPairFiles(pair, bundle)),
  );
  if (authority) manifests.unshift(keyPairSecret(AUTHORITY_SECRET, namespace, keyPairFiles(authority, bundle)));
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join("---\n");
}

/** The file that holds Secrets. */
export function secretsFile(path: string, content: string): OutputFile {
  return { path, content, mode: PRIVATE };
}

/** The files that are not there yet as they should be: so a folder can be added to with the authority that it has. */
export function missingFiles(files: readonly OutputFile[]): OutputFile[] {
  return files.filter(({ path, content }) => {
    const present = statSync(path, { throwIfNoEntry: false });
    const isAlike = present?.isFile() && present.size === Buffer.byteLength(content);
    return !(isAlike && readBoundedNow(path).equals(Buffer.from(content)));
  });
}

/**
 * Write files and the folders they need. With `isForced` it replaces what is there, so that a key gets its mode whatever
 * the old file's was. Throws Node's own errors, also for a file that has appeared meanwhile.
 */
export async function writeOutput(files: readonly OutputFile[], isForced: boolean): Promise<void> {
  for (const { path, content, mode } of files) {
    await mkdir(dirname(path), { recursive: true });
    if (isForced) await rm(path, { force: true });
    await writeFile(path, content, { mode, flag: "wx" });
  }
}
