import { statSync } from "node:fs";
import type { Cancel, Clock } from "./clock.ts";
import type { Logger } from "./log.ts";
import { pemCertificates } from "./pem-certificates.ts";
import { readTlsFiles, type TlsFiles } from "./tls-files.ts";
import type { TlsMaterial } from "./tls-material.ts";

/** How often the files are looked at. A change is in force once it has been the same at two looks. */
const LOOK_EVERY_MS = 1_000;

/** What is read, and under which names. */
export interface FollowedTlsOptions {
  /** Where the settings stand, such as `tls`. */
  readonly section: string;
  readonly files: TlsFiles;
  /** Name that a peer's certificate must carry. */
  readonly servername?: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A certificate of the material's, and when it ends. */
export interface CertificateExpiry {
  /** The setting that gives its file: `tls.cert`. */
  readonly setting: string;
  /** Of several in one file, the first to end. */
  readonly expiresAt: Date;
}

/**
 * Certificates and keys that follow their files, also where those are links that
 * are swapped, as Kubernetes does. Files that cannot be used are reported once,
 * and what was read before stays.
 */
export class FollowedTls implements TlsMaterial {
  readonly #options: FollowedTlsOptions;
  readonly #listeners = new Set<() => void>();
  #material: TlsMaterial;
  /** Files as they were read last, and as they were seen last. */
  #readVersion: string;
  #seenVersion: string;
  #cancelLook: Cancel = () => {};

  /** Throws as {@link readTlsFiles} does. Follows the files from {@link start} on. */
  constructor(options: FollowedTlsOptions) {
    this.#options = options;
    this.#readVersion = this.#version();
    this.#seenVersion = this.#readVersion;
    this.#material = this.#read();
  }

  get ca(): Buffer | undefined {
    return this.#material.ca;
  }

  get cert(): Buffer | undefined {
    return this.#material.cert;
  }

  get key(): Buffer | undefined {
    return this.#material.key;
  }

  get servername(): string | undefined {
    return this.#material.servername;
  }

  /** Hear when other certificates are in force. */
  onChange(listener: () => void): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begin to follow the files; the result ends it. */
  start(): Cancel {
    const look = (): void => {
      this.#cancelLook = this.#options.clock.after(LOOK_EVERY_MS, look);
      this.#look();
    };
    this.#cancelLook = this.#options.clock.after(LOOK_EVERY_MS, look);
    return () => this.#cancelLook();
  }

  /** When each certificate ends. */
  get expiries(): CertificateExpiry[] {
    const { section, files } = this.#options;
    const authority = files.ca === undefined ? "clientCa" : "ca";
    return [
      ...expiryOf(`${section}.${authority}`, this.#material.ca),
      ...expiryOf(`${section}.cert`, this.#material.cert),
    ];
  }

  #look(): void {
    const { section, log } = this.#options;
    const version = this.#version();
    const isSettled = version === this.#seenVersion;
    this.#seenVersion = version;
    // A pair that is being written is half of each: it is read when nothing has changed for a while.
    if (!isSettled || version === this.#readVersion) return;
    this.#readVersion = version;
    try {
      this.#material = this.#read();
    } catch (err) {
      log.error({ section, err }, "new certificates cannot be used, keeping those in force");
      return;
    }
    const expires = Object.fromEntries(this.expiries.map(({ setting, expiresAt }) => [setting, expiresAt]));
    log.info({ section, expires }, "certificates replaced");
    for (const listener of [...this.#listeners]) listener();
  }

  #read(): TlsMaterial {
    const { section, files, servername } = this.#options;
    return readTlsFiles(section, files, servername);
  }

  #version(): string {
    return Object.values(this.#options.files).map(versionOf).join();
  }
}

/** Changes with the file behind a path; links are followed. */
function versionOf(path: string | undefined): string {
  if (path === undefined) return "";
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function expiryOf(setting: string, pem: Buffer | undefined): CertificateExpiry[] {
  const ends = pemCertificates(pem).map(({ validTo }) => Date.parse(validTo));
  return ends.length === 0 ? [] : [{ setting, expiresAt: new Date(Math.min(...ends)) }];
}
