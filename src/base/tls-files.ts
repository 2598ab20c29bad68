import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { readBoundedNow } from "./bounded-file.ts";
import { pemCertificates } from "./pem-certificates.ts";
import type { TlsMaterial } from "./tls-material.ts";

/** Largest file of certificates or a key: the bundle of a Debian system has 0.2 MiB. */
const MAX_TLS_FILE_BYTES = 4 * 1_024 * 1_024;

/** Paths of PEM files, under the names of the settings that give them. */
export interface TlsFiles {
  /** Authorities of a peer's certificate; a server calls them `clientCa`. */
  readonly ca?: string | undefined;
  readonly clientCa?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/**
 * Read certificates and keys, and check that OpenSSL takes each of them, and all
 * together.
 *
 * Throws an Error that names the setting at fault, with the reason as its cause;
 * `section` is where the settings stand, such as `tls`.
 */
export function readTlsFiles(section: string, files: TlsFiles, servername?: string): TlsMaterial {
  const read = (name: keyof TlsFiles): Buffer | undefined => {
    const path = files[name];
    if (path === undefined) return undefined;
    const content = readFile(`${section}.${name}`, path);
    const isAuthority = name === "ca" || name === "clientCa";
    // OpenSSL takes a file of authorities without any, and then trusts nobody.
    const check = () => (isAuthority ? new X509Certificate(content) : createSecureContext({ [name]: content }));
    attempt(`${section}.${name}: ${path}`, check);
    if (name !== "key") attempt(`${section}.${name}: ${path}`, () => pemCertificates(content));
    return content;
  };
  const ca = read("ca") ?? read("clientCa");
  const cert = read("cert");
  const key = read("key");
  const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  attempt(`${section}.cert and ${section}.key do not belong together`, () => createSecureContext(material));
  return { ...material, ...(servername !== undefined && { servername }) };
}

function readFile(setting: string, path: string): Buffer {
  try {
    return readBoundedNow(path, MAX_TLS_FILE_BYTES);
  } catch (cause) {
    // The system's own errors name the file.
    throw new Error((cause as NodeJS.ErrnoException).path === undefined ? `${setting}: ${path}` : setting, { cause });
  }
}

function attempt<T>(blame: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new Error(blame, { cause });
  }
}
