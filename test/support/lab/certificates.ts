import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";

/** A certificate and its private key, PEM. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Kinds of keys that certificates are made with. */
export type KeyKind = "ec" | "rsa" | "rsa-1024" | "ed25519" | "secp256k1";

/** What a certificate is for. */
export interface CertificateOptions {
  /** The subject's common name. */
  readonly commonName: string;
  /** DNS names and IP addresses it is valid for; what has `://` in it is a URI. */
  readonly names?: readonly string[];
  /** Start and end of its life. Default: an hour ago, and a day from now. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** It may not be a server's. Default false. */
  readonly isClientOnly?: boolean;
  /** Default `ec`, which is P-256. */
  readonly key?: KeyKind;
}

/** What an authority is made like. */
export type AuthorityOptions = Omit<CertificateOptions, "commonName" | "names" | "isClientOnly"> & {
  /** Hash of its signatures, its own included. Default `sha256`; an Ed25519 key has its own. */
  readonly hash?: "sha256" | "sha1" | "md5";
  /** X.509 version. A certificate of version 1 has no extensions. Default 3. */
  readonly version?: 1 | 3;
  /** Who signs it. Absent: itself. */
  readonly issuer?: TestAuthority;
};

/** A private certificate authority for tests, a root or an intermediate: Node can read certificates but not make them. */
export class TestAuthority {
  /** Its certificate, PEM. */
  readonly cert: string;
  /** Its private key, PEM. */
  readonly key: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;
  readonly #hash: "sha256" | "sha1" | "md5";

  constructor(commonName = "test authority", options: AuthorityOptions = {}) {
    this.#name = distinguishedName(commonName);
    this.#key = newKey(options.key);
    this.#hash = options.hash ?? "sha256";
    this.key = this.#key.export({ type: "pkcs8", format: "pem" }) as string;
    const signer = options.issuer ?? this;
    this.cert = signer.#sign({ ...options, commonName }, this.#key, options.version === 1 ? "version 1" : "authority");
  }

  /** Issue a certificate for servers and clients alike. */
  issue(options: CertificateOptions): IssuedCertificate {
    const privateKey = newKey(options.key);
    return {
      cert: this.#sign(options, privateKey, "leaf"),
      key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    };
  }

  /** A certificate's DER encoding (RFC 5280 section 4.1), signed, as PEM. */
  #sign(options: CertificateOptions, subjectKey: KeyObject, kind: "authority" | "leaf" | "version 1"): string {
    const now = Date.now();
    const algorithm = SIGNATURES[`${this.#key.asymmetricKeyType} ${this.#hash}`]!;
    const body = sequence(
      ...(kind === "version 1" ? [] : [tagged(0xa0, integer(Buffer.from([2])))]),
      integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
      algorithm,
      this.#name,
      sequence(
        time(options.notBefore ?? new Date(now - 3_600_000)),
        time(options.notAfter ?? new Date(now + 86_400_000)),
      ),
      distinguishedName(options.commonName),
      createPublicKey(subjectKey).export({ type: "spki", format: "der" }),
      ...(kind === "version 1" ? [] : [tagged(0xa3, sequence(...extensions(options, kind === "authority")))]),
    );
    const hash = this.#key.asymmetricKeyType === "ed25519" ? null : this.#hash;
    const signature = sign(hash, body, this.#key);
    const der = sequence(body, algorithm, bitString(signature));
    const lines = der.toString("base64").match(/.{1,64}/g)!;
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }
}

function newKey(kind: KeyKind = "ec"): KeyObject {
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (kind === "rsa" || kind === "rsa-1024") {
    return generateKeyPairSync("rsa", { modulusLength: kind === "rsa" ? 2_048 : 1_024 }).privateKey;
  }
  return generateKeyPairSync("ec", { namedCurve: kind === "ec" ? "P-256" : kind }).privateKey;
}

function extensions(options: CertificateOptions, isAuthority: boolean): Buffer[] {
  if (isAuthority) return [extension("551d13", sequence(tagged(0x01, Buffer.from([0xff]))), true)];
  const names = (options.names ?? []).map((name) =>
    isIPv4(name) || isIPv6(name)
      ? tagged(0x87, ipBytes(name))
      : tagged(name.includes("://") ? 0x86 : 0x82, Buffer.from(name, "ascii")),
  );
  return [
    // serverAuth and clientAuth
    extension("551d25", sequence(...(options.isClientOnly ? [] : [oid("2b06010505070301")]), oid("2b06010505070302"))),
    ...(names.length > 0 ? [extension("551d11", sequence(...names))] : []),
  ];
}

const NULL = Buffer.from([0x05, 0x00]);

/** AlgorithmIdentifiers by kind of key and hash (RFC 3279, RFC 5758, RFC 8410). */
const SIGNATURES: Readonly<Record<string, Buffer>> = {
  "ec sha256": sequence(oid("2a8648ce3d040302")),
  "ec sha1": sequence(oid("2a8648ce3d0401")),
  "rsa sha256": sequence(oid("2a864886f70d01010b"), NULL),
  "rsa sha1": sequence(oid("2a864886f70d010105"), NULL),
  "rsa md5": sequence(oid("2a864886f70d010104"), NULL),
  "ed25519 sha256": sequence(oid("2b6570")),
};

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.from([0]), bytes);
}

function extension(oidHex: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(oidHex), ...critical, tagged(0x04, value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid("550403"), tagged(0x0c, Buffer.from(commonName, "utf8")))));
}

/** UTCTime, as RFC 5280 section 4.1.2.5 wants it until 2049. */
function time(date: Date): Buffer {
  return tagged(0x17, Buffer.from(date.toISOString().replace(/^\d\d|[-:T]|\.\d+/g, ""), "ascii"));
}

function ipBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
